-- Decides about one chat whose limits are all fixed windows, atomically: checks the session, then the limits,
-- by the clock of Redis (which is frozen while a script runs).
-- KEYS: the session, then a counter for each limit.
-- ARGV: quota and window in ms of each limit.
-- Returns {} if there is no session, else for each limit: hits in the window including this one, ms until its
-- end.
if redis.call('EXISTS', KEYS[1]) == 0 then return {} end
local reply, rejected = {}, false
for i = 2, #KEYS do
  local quota, window = tonumber(ARGV[2 * i - 3]), tonumber(ARGV[2 * i - 2])
  local hits = redis.call('INCR', KEYS[i])
  local left = redis.call('PTTL', KEYS[i])
  if left < 0 then
    -- The first hit of the window, or a counter that lost its time to live: without one it would reject
    -- permanently.
    -- A key exists until the end of its last millisecond, hence - 1: the window is
    -- [first hit, first hit + window).
    left = window - 1
    redis.call('PEXPIRE', KEYS[i], left)
  end
  if hits > quota then rejected = true end
  reply[#reply + 1] = hits
  reply[#reply + 1] = left + 1
end
if rejected then
  -- A chat that one limit rejects counts in none: revert the hits, and close the windows that they opened.
  for i = 2, #KEYS do
    if redis.call('DECR', KEYS[i]) <= 0 then redis.call('DEL', KEYS[i]) end
  end
end
return reply
