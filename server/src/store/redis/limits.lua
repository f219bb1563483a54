-- The algorithms of limits; the other scripts are appended to this file. Times are microseconds since the
-- epoch. The rules are those of limiter/state.rs; numbers in Lua have 53 bits, so products beyond that are
-- rounded.
-- KEYS: the session, then a state for each limit.
-- ARGV: algorithm, quota, window and burst of each limit.
local function read_fields(key, ...)
  local values = redis.call('HMGET', key, ...)
  for i = 1, #values do values[i] = tonumber(values[i]) or 0 end
  return unpack(values)
end

-- For each algorithm: `check` reads the state at `now` and returns whether there is room, `admit` writes one
-- admission, `ttl` is how long the state is still needed, `usage` are the three numbers for limiter/usage.rs.
local algorithms = {}

algorithms['fixed-window'] = {
  check = function(limit, now)
    limit.opened, limit.used = read_fields(limit.key, 'opened', 'used')
    if now >= limit.opened + limit.window then limit.used = 0 end
    if limit.used == 0 then limit.opened = now end
    return limit.used < limit.quota
  end,
  admit = function(limit)
    limit.used = limit.used + 1
    redis.call('HSET', limit.key, 'opened', limit.opened, 'used', limit.used)
  end,
  ttl = function(limit, now) return limit.opened + limit.window - now end,
  usage = function(limit, now) return limit.used, limit.opened + limit.window - now, 0 end,
}

algorithms['aligned-window'] = {
  check = function(limit, now)
    limit.index, limit.used = read_fields(limit.key, 'index', 'used')
    local index = math.floor(now / limit.window)
    if index > limit.index then limit.index, limit.used = index, 0 end
    return limit.used < limit.quota
  end,
  admit = function(limit)
    limit.used = limit.used + 1
    redis.call('HSET', limit.key, 'index', limit.index, 'used', limit.used)
  end,
  ttl = function(limit, now) return (limit.index + 1) * limit.window - now end,
  usage = function(limit, now) return limit.used, (limit.index + 1) * limit.window - now, 0 end,
}

algorithms['sliding-log'] = {
  check = function(limit, now)
    local entry = function(rank) return tonumber(redis.call('ZRANGE', limit.key, rank, rank, 'WITHSCORES')[2]) end
    redis.call('ZREMRANGEBYSCORE', limit.key, '-inf', now - limit.window)
    limit.held = redis.call('ZCARD', limit.key)
    if limit.held > 0 then limit.newest = entry(-1) end
    -- There is room once the quota-th newest entry has left.
    if limit.held >= limit.quota then limit.blocking = entry(limit.held - limit.quota) end
    return limit.held < limit.quota
  end,
  admit = function(limit, now)
    -- A set has no equal members: a number distinguishes admissions in the same microsecond.
    local number = 0
    while redis.call('ZADD', limit.key, 'NX', now, string.format('%.0f-%d', now, number)) == 0 do number = number + 1 end
    limit.held = limit.held + 1
    limit.newest = math.max(limit.newest or now, now)
  end,
  ttl = function(limit, now) return (limit.newest or now) + limit.window - now end,
  usage = function(limit, now)
    local leaves_in = function(entry) return entry and entry + limit.window - now or 0 end
    return limit.held, leaves_in(limit.blocking), leaves_in(limit.newest)
  end,
}

algorithms['sliding-counter'] = {
  check = function(limit, now)
    limit.index, limit.previous, limit.current = read_fields(limit.key, 'index', 'previous', 'current')
    local index = math.floor(now / limit.window)
    if index > limit.index then
      limit.previous = index == limit.index + 1 and limit.current or 0
      limit.index, limit.current = index, 0
    end
    limit.elapsed = math.max(0, now - limit.index * limit.window)
    local counted = limit.previous * (limit.window - limit.elapsed) + limit.current * limit.window
    return counted + limit.window <= limit.quota * limit.window
  end,
  admit = function(limit)
    limit.current = limit.current + 1
    redis.call('HSET', limit.key, 'index', limit.index, 'previous', limit.previous, 'current', limit.current)
  end,
  ttl = function(limit) return 2 * limit.window - limit.elapsed end,
  usage = function(limit) return limit.previous, limit.current, limit.elapsed end,
}

-- The debt is what is missing in the bucket: tokens times the window. Each microsecond refills it by the
-- quota.
algorithms['token-bucket'] = {
  check = function(limit, now)
    limit.at, limit.debt = read_fields(limit.key, 'at', 'debt')
    limit.debt = math.max(0, limit.debt - math.max(0, now - limit.at) * limit.quota)
    limit.at = math.max(limit.at, now)
    return limit.debt + limit.window <= limit.burst * limit.window
  end,
  admit = function(limit)
    limit.debt = limit.debt + limit.window
    redis.call('HSET', limit.key, 'at', limit.at, 'debt', limit.debt)
  end,
  ttl = function(limit) return limit.debt / limit.quota end,
  -- As text: it may be larger than an integer of a reply.
  usage = function(limit) return string.format('%.0f', limit.debt), 0, 0 end,
}

local limits = {}
for i = 1, #KEYS - 1 do
  local algorithm, quota, window, burst = unpack(ARGV, 4 * i - 3, 4 * i)
  limits[i] = setmetatable(
    { key = KEYS[i + 1], quota = tonumber(quota), window = tonumber(window), burst = tonumber(burst) },
    { __index = algorithms[algorithm] })
end

local function has_session() return redis.call('EXISTS', KEYS[1]) == 1 end

-- Frozen while a script runs.
local function clock()
  local time = redis.call('TIME')
  return time[1] * 1000000 + time[2]
end

-- Whether every limit has room.
local function check(now)
  local all = true
  for _, limit in ipairs(limits) do
    limit.room = limit:check(now)
    all = all and limit.room
  end
  return all
end

local function set_ttl(limit, now)
  redis.call('PEXPIRE', limit.key, math.max(1, math.ceil(limit:ttl(now) / 1000)))
end

-- Counts one admission in every limit.
local function admit(now)
  for _, limit in ipairs(limits) do
    limit:admit(now)
    set_ttl(limit, now)
  end
end

-- Gives states that lost their time to live a new one: otherwise they would never be removed.
local function restore_ttls(now)
  for _, limit in ipairs(limits) do
    if redis.call('PTTL', limit.key) == -1 then set_ttl(limit, now) end
  end
end

-- The reply: now, and for each limit whether it had room and its three numbers.
local function report(now)
  local reply = { now }
  for _, limit in ipairs(limits) do
    local first, second, third = limit:usage(now)
    for _, number in ipairs({ limit.room and 1 or 0, first, second, third }) do reply[#reply + 1] = number end
  end
  return reply
end
