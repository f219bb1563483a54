-- Decides about one chat, for a fault. The last two of ARGV are by how many microseconds the clock is ahead,
-- and the mode: `decide`, `check-only` (counts nothing), `count-only` (rejects nothing), `count-rejections`.
if not has_session() then return {} end
local now, mode = clock() + tonumber(ARGV[#ARGV - 1]), ARGV[#ARGV]
local admitted = check(now)
if mode == 'count-only' then
  admit(now)
  for _, limit in ipairs(limits) do limit.room = true end
elseif mode ~= 'check-only' and admitted then
  admit(now)
elseif mode == 'count-rejections' then
  admit(now)
  local had_room = {}
  for i, limit in ipairs(limits) do
    had_room[i] = limit.room
    -- As LimitState::cap_rejections.
    if limit.held then redis.call('ZREMRANGEBYRANK', limit.key, 0, -limit.quota - 1) end
    if limit.debt then redis.call('HSET', limit.key, 'debt', math.min(limit.debt, 2 * limit.burst * limit.window)) end
  end
  check(now)
  for i, limit in ipairs(limits) do limit.room = had_room[i] or limit.room end
end
return report(now)
