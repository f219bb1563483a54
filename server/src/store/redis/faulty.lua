-- One chat as a fault wants it. After the limits' numbers ARGV holds by how many microseconds the clock is ahead, and the
-- step: `decide`, `check` (counts nothing), `act` (refuses nothing), `count-refusals`.
if not has_session() then return {} end
local now, step = clock() + tonumber(ARGV[#ARGV - 1]), ARGV[#ARGV]
local admitted = look(now)
if step == 'act' then
  take(now)
  for _, limit in ipairs(limits) do limit.room = true end
elseif step ~= 'check' and admitted then
  take(now)
elseif step == 'count-refusals' then
  take(now)
  local had_room = {}
  for i, limit in ipairs(limits) do
    had_room[i] = limit.room
    -- As State::bound: a flood of refusals must not pile up.
    if limit.held then redis.call('ZREMRANGEBYRANK', limit.key, 0, -limit.quota - 1) end
    if limit.debt then redis.call('HSET', limit.key, 'debt', math.min(limit.debt, 2 * limit.burst * limit.window)) end
  end
  look(now)
  for i, limit in ipairs(limits) do limit.room = had_room[i] or limit.room end
end
return tell(now)
