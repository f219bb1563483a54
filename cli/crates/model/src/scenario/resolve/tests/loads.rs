//! Loads and their stages: each problem is reported once, at its place.

use super::{each, shown};

#[test]
fn loads() {
    shown(
        "loads",
        &each(&[
            ("tenant = \"acme\"", "tenant = \"acne\""),
            ("tenant = \"acme\"", "tenant = [\"acme\", \"globex\", \"acme\"]"),
            ("tenant = \"acme\"", "tenant = []"),
            ("journey = \"chat\"\nrate", "journey = \"chatt\"\nrate"),
            (
                "[[load]]\ntenant = \"acme\"\njourney = \"chat\"",
                "[[journey]]\nname = \"look\"\n[[journey.step]]\nget = \"/\"\n[[load]]",
            ),
            ("rate = \"200/s\"", "rate = \"0/s\""),
            ("rate = \"200/s\"", "rate = \"-1/s\""),
            ("rate = \"200/s\"", "rate = \"200\""),
            ("rate = \"200/s\"", "rate = \"200/parsec\""),
            ("rate = \"200/s\"\nmax_users = 50", ""),
            ("users = 2", "users = 0"),
            ("users = 2", "users = -2"),
            ("users = 2", "users = 2000000"),
            ("users = 2\nspawn_rate = \"1/s\"\nthink_time = \"1s..3s\"", "users = 2\nrate = \"5/s\""),
            (
                "tenant = \"acme\"\njourney = \"chat\"\nrate = \"200/s\"\nmax_users = 50",
                "tenant = [\"acme\", \"globex\"]\njourney = \"chat\"\nrate = \"200/s\"\nmax_users = 1",
            ),
            ("max_users = 50", "spawn_rate = \"1/s\""),
            ("max_users = 50", "think_time = \"1s\""),
            ("users = 2", "users = 2\nmax_users = 2"),
            ("\"1s..3s\"", "\"3s..1s\""),
            ("\"1s..3s\"", "\"1..3\""),
            ("\"1s..3s\"", "\"exp 0s\""),
            ("\"1s..3s\"", "\"1s..3s\"\npacing = \"5s\""),
            ("think_time = \"1s..3s\"", "pacing = \"0s\""),
            ("max_users = 50", "pacing = \"5s\""),
            ("max_users = 50", "arrivals = \"random\""),
            ("users = 2", "users = 2\narrivals = \"poisson\""),
            ("duration = \"25s\"", "duration = \"25s\"\ngraceful_stop = \"5\""),
            ("after = \"5s\"", "after = \"-5s\""),
            ("duration = \"25s\"", ""),
            ("duration = \"25s\"", "duration = \"0s\""),
            ("duration = \"25s\"", "duration = \"25s\"\niterations = 0"),
            ("replica = 2", "replica = 0"),
            ("replica = 2", "replica = \"random\""),
            ("replica = 2", "retry = \"soon\""),
            (
                "[[load]]\njourney = \"chat\"",
                "[[journey]]\nname = \"look\"\n[[journey.step]]\nget = \"/\"\n[[load]]\nretry = \"retry-after\"\njourney = \"look\"",
            ),
        ]),
    );
}

#[test]
fn stages() {
    let open = "rate = \"200/s\"\nmax_users = 50\nduration = \"25s\"";
    let closed =
        "users = 2\nspawn_rate = \"1/s\"\nthink_time = \"1s..3s\"\nafter = \"5s\"\nduration = \"20s\"";
    shown(
        "stages",
        &each(&[
            (open, "stages = []"),
            (open, "stages = { for = \"5s\", rate = \"5/s\" }"),
            (open, "stages = [\"5s\"]"),
            (open, "stages = [{ for = \"5s\" }]"),
            (open, "stages = [{ for = \"5s\", rate = \"5/s\" }, { for = \"5s\" }]"),
            (open, "stages = [{ for = \"0s\", rate = \"5/s\" }]"),
            (open, "stages = [{ rate = \"5/s\" }]"),
            (open, "stages = [{ for = \"5s\", rate = \"5/s\", jump = \"yes\" }]"),
            (open, "stages = [{ for = \"5s\", rate = \"0/s\" }, { for = \"5s\", rate = \"0/s\" }]"),
            (open, "stages = [{ for = \"5s\", rate = \"5/s\" }, { for = \"5s\", users = 5 }]"),
            (open, "rate = \"5/s\"\nstages = [{ for = \"5s\", users = 5 }]"),
            (open, "stages = [{ for = \"5s\", rate = \"5/s\" }]\nduration = \"5s\""),
            (closed, "stages = [{ for = \"5s\", users = 5 }]\nspawn_rate = \"5/s\""),
            (closed, "stages = [{ for = \"5s\", users = 5 }, { for = \"5s\", users = 5000000 }]"),
        ]),
    );
}
