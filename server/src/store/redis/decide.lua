-- Decides about one chat, atomically: checks the session, then the limits, by the clock of Redis. Returns {}
-- if there is no session.
if not has_session() then return {} end
local now = clock()
if check(now) then admit(now) else restore_ttls(now) end
return report(now)
