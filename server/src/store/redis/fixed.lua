-- One chat whose limits are all fixed windows: the session's check and the limits' decision, atomic, on Redis's clock (which stands still in a script).
-- KEYS: the session, then a counter for each limit. ARGV: quota and window in ms for each counter.
-- Answers {} if there is no session, else for each limit: hits in the window with this one, ms until the window ends.
if redis.call('EXISTS', KEYS[1]) == 0 then return {} end
local answer, refused = {}, false
for i = 2, #KEYS do
  local quota, window = tonumber(ARGV[2 * i - 3]), tonumber(ARGV[2 * i - 2])
  local hits = redis.call('INCR', KEYS[i])
  local left = redis.call('PTTL', KEYS[i])
  if left < 0 then
    -- The window's first hit, or a counter that lost its time to live: left alone it would refuse for ever.
    -- A key lives through the last of its milliseconds, hence - 1: the window is [first hit, first hit + window).
    left = window - 1
    redis.call('PEXPIRE', KEYS[i], left)
  end
  if hits > quota then refused = true end
  answer[#answer + 1] = hits
  answer[#answer + 1] = left + 1
end
if refused then
  -- Refused by one limit is refused by all: what was counted above is taken back, and no window is left opened by it.
  for i = 2, #KEYS do
    if redis.call('DECR', KEYS[i]) <= 0 then redis.call('DEL', KEYS[i]) end
  end
end
return answer
