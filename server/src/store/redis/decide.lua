-- One chat, atomic: the session's check and the limits' decision, on Redis's clock. Answers {} if there is no session.
if not has_session() then return {} end
local now = clock()
if look(now) then take(now) else heal(now) end
return tell(now)
