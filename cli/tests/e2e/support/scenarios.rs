//! Base scenarios of the tests.

/// Tenants whose windows are short enough for a test.
pub(crate) const TENANTS: &str = r#"{"id": "acme", "limits": {"chat_per_2s": 5}}
{"id": "globex", "limits": {"chat_per_2s": 3}}
"#;

/// Tenants and journeys.
pub(crate) const JOURNEY: &str = r#"version = 1
name    = "short"
description = "acme floods, globex chats"

[[tenant]]
id = "acme"

[[tenant]]
id = "globex"

[[journey]]
name = "chat"

[[journey.start]]
post = "/session"
json = { tenant_id = "${tenant}" }
save = { sid = "/session_id" }

[[journey.step]]
post   = "/chat"
json   = { tenant_id = "${tenant}", session_id = "${sid}", message = "msg-${n}" }
status = [200, 429]
"#;

/// An open and a closed load; [`short`] sets their duration.
const LOADS: &str = r#"
[[load]]
tenant   = "acme"
rate     = "60/s"
duration = "DURATION"

[[load]]
tenant   = "globex"
users    = 2
think_time = "50ms..150ms"
duration = "DURATION"
"#;

/// The limits of [`TENANTS`].
const PROMISES: &str = r#"
[[limit]]
route     = "POST /chat"
algorithm = "fixed-window"
quota     = { acme = "5/2s", globex = "3/2s" }

[embedded]
tenants = "tenants.jsonl"
"#;

/// An open load of one tenant and a closed one of another, of this duration, and the limits of [`TENANTS`].
pub(crate) fn short(duration: &str) -> String {
    format!("{JOURNEY}{}{PROMISES}", LOADS.replace("DURATION", duration))
}

/// Like [`short`], for a stack that will be disturbed: errors are counted but fail no claim, and a user whose
/// session is lost opens another.
pub(crate) fn disturbed(duration: &str) -> String {
    let text = change(&short(duration), "status = [200, 429]", "status = [200, 429, 503]");
    let text = change(&text, "save = {", "status = [200, 503]\nsave = {");
    text + "\n[[expect]]\nthat = \"error_ratio <= 100%\"\n"
}

/// `text` with every `from` replaced; it must occur.
#[track_caller]
pub(crate) fn change(text: &str, from: &str, to: &str) -> String {
    assert!(text.contains(from), "no {from:?} in {text}");
    text.replace(from, to)
}
