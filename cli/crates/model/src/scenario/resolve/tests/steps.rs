//! What steps can send, when they run, and how their responses are used: valid and invalid.

use std::fmt::Write as _;

use super::{SOURCES, resolve, shown};
use crate::scenario::{
    Scenario, Step,
    feeder::Order,
    journey::{Check, Holds},
    template::{Escape, Part, Template},
};
use crate::units::Nanos;

/// A scenario with every key of journeys, steps and feeders.
pub(super) const SHOP: &str = r#"version = 1

[[tenant]]
id = "acme"

[[feeder]]
name = "people"
file = "people.csv"
order = "unique"
[[feeder]]
name = "words"
file = "words.jsonl"

[[journey]]
name = "shop"
cookies = true
headers = { X-Tenant-ID = "${tenant}", X-Cart = "${cart}" }
auth = { bearer = "${token}" }
[[journey.start]]
post = "/login"
auth = { basic = ["${people.email}", "${env:TOKEN}"] }
form = { name = "${people.name}", "a b" = "1&2" }
save = { token = "/token" }
[[journey.start]]
post = "/carts"
status = 201
save = { cart = { header = "Location" }, csrf = { regex = 'csrf=(\w+)' } }
[[journey.step]]
name = "search"
get = "/items?full=1"
query = { q = "${words.word} é", csrf = "${csrf}" }
repeat = 3
think_time = "1s..2s"
check = [
  { json = "/ok", is = true },
  { json = "/tenant", is = "${tenant}" },
  { json = "/n", not = 0 },
  { header = "X-Cache", is = 7 },
  { regex = 'id=(\d+)' },
  { contains = "welcome" },
  { json = "/id", matches = '^\d+$' },
  { size = "< 10kB" },
]
[[journey.step]]
name = "state"
get = "/state"
every = 5
auth = "none"
save = { state = { json = "/state" } }
[[journey.step]]
name = "pay"
post = "/pay"
body = "${state}"
when = { saved = "state", is = "open" }

[[journey]]
name = "browse"
[[journey.step]]
name = "home"
get = "/"
weight = 3
[[journey.step]]
name = "item"
get = "/items/1"
weight = 1
save = { item = "/id" }
[[journey.step]]
name = "again"
get = "/items/${item}"
weight = 2
when = "item"

[[load]]
journey = "shop"
users = 2
duration = "10s"
"#;

fn shop() -> Scenario {
    resolve(SHOP, "shop.toml", &SOURCES).unwrap_or_else(|problems| panic!("{problems}"))
}

fn step<'s>(scenario: &'s Scenario, name: &str) -> &'s Step {
    scenario.steps.iter().find(|step| step.name == name).unwrap()
}

/// A template with its variables in angle brackets.
fn text(template: &Template) -> String {
    let part = |part: &Part| match part {
        Part::Text(text) => text.clone(),
        Part::Variable(variable) => format!("<{variable:?}>"),
    };
    template.parts.iter().map(part).collect()
}

fn headers(step: &Step) -> Vec<(&str, String)> {
    step.headers.iter().map(|(name, value)| (name.as_str(), text(value))).collect()
}

#[test]
fn what_a_step_sends() {
    let scenario = shop();
    let search = step(&scenario, "search");
    assert_eq!(text(&search.path), "/items?full=1&q=<Fed { feeder: 1, column: 1 }>%20%C3%A9&csrf=<Saved(2)>");
    assert_eq!((search.path.escape, search.route.as_str()), (Escape::Url, "GET /items"));
    let login = step(&scenario, "POST /login");
    let body = login.body.as_ref().unwrap();
    assert_eq!(text(body), "name=<Fed { feeder: 0, column: 0 }>&a%20b=1%262");
    assert_eq!(body.escape, Escape::Url);
    assert_eq!(login.headers[0].1.escape, Escape::Basic);
}

#[test]
fn headers_of_the_journey_go_to_steps_that_can_fill_them() {
    let scenario = shop();
    let tenant = || ("x-tenant-id", "<Tenant>".to_owned());
    let login = [
        ("authorization", "<Fed { feeder: 0, column: 1 }>:<Secret(\"TOKEN\")>".to_owned()),
        ("content-type", "application/x-www-form-urlencoded".to_owned()),
        tenant(),
    ];
    assert_eq!(headers(step(&scenario, "POST /login")), login);
    let token = || ("authorization", "Bearer <Saved(0)>".to_owned());
    assert_eq!(headers(step(&scenario, "POST /carts")), [tenant(), token()]);
    let cart = || ("x-cart", "<Saved(1)>".to_owned());
    assert_eq!(headers(step(&scenario, "search")), [tenant(), cart(), token()]);
    assert_eq!(headers(step(&scenario, "state")), [tenant(), cart()]);
    assert_eq!(headers(step(&scenario, "home")), []);
    assert_eq!(scenario.journeys.iter().map(|journey| journey.cookies).collect::<Vec<_>>(), [true, false]);
}

#[test]
fn when_steps_run() {
    let scenario = shop();
    let turn = |name: &str| &step(&scenario, name).turn;
    let search = turn("search");
    let pause = Some((Nanos::from_secs(1), Nanos::from_secs(2)));
    assert_eq!((search.repeat, search.every, search.pause, search.weight), (3, 1, pause, None));
    assert_eq!(turn("state").every, 5);
    let when = turn("pay").when.as_ref().unwrap();
    assert_eq!((when.slot, &when.holds), (3, &Holds::Is("open".to_owned())));
    let weights: Vec<_> = ["home", "item", "again"].map(|name| turn(name).weight.unwrap()).into();
    assert_eq!(weights, [3, 1, 2]);
}

#[test]
fn how_responses_are_used() {
    let scenario = shop();
    let kept = |name: &str| (step(&scenario, name).reads_head(), step(&scenario, name).reads_body());
    assert_eq!(kept("search"), (true, true));
    assert_eq!(kept("POST /carts"), (true, true));
    assert_eq!(kept("state"), (false, true));
    assert_eq!(kept("pay"), (false, false));
    let search = step(&scenario, "search");
    assert_eq!(search.checks.len(), 8);
    assert!(matches!(search.checks[7], Check::Size { bytes: 10_000, .. }));
    // Numbers are texts outside of JSON.
    assert!(format!("{:?}", search.checks[3]).contains("Is(Text("), "{:?}", search.checks[3]);
    assert!(search.reads(200) && !search.reads(429));
}

#[test]
fn feeders_have_rows() {
    let scenario = shop();
    let [people, words] = scenario.feeders.as_slice() else { panic!("{:?}", scenario.feeders) };
    assert_eq!(people.columns, ["name", "email", "full name"]);
    assert_eq!(
        (people.rows(), people.cell(1, 0), people.cell(1, 2)),
        (2, Some("Bob, B"), Some("${env:TOKEN}"))
    );
    assert_eq!((people.order, people.first.as_slice()), (Order::Unique, [0].as_slice()));
    assert_eq!(
        (words.columns.as_slice(), words.order),
        (["n".to_owned(), "word".to_owned()].as_slice(), Order::Sequential)
    );
    assert_eq!(words.cells, ["1", "a", "2.5", "b"]);
}

/// Each change to the scenario causes the problems in the snapshot.
fn each(changes: &[(&str, &str)]) -> String {
    let mut out = String::new();
    for (from, to) in changes {
        assert!(SHOP.contains(from), "{from} is not in the scenario");
        let problems = resolve(&SHOP.replacen(from, to, 1), "shop.toml", &SOURCES).map(|_| to);
        let rendered = problems.unwrap_err().render(false);
        assert_eq!(rendered.matches("error: ").count(), 2, "{from} => {to}\n{rendered}");
        let one = rendered.split("\n\nerror: 1 problem in shop.toml").next().unwrap_or_default();
        writeln!(out, "{one}\n").unwrap();
    }
    out
}

#[test]
fn bad_requests() {
    shown(
        "bad_requests",
        &each(&[
            ("form = {", "json = { a = 1 }\nform = {"),
            ("form = {", "body = \"a\"\nform = {"),
            ("form = { name = \"${people.name}\", \"a b\" = \"1&2\" }", "form = \"a=1\""),
            ("query = { q = \"${words.word} é\", csrf = \"${csrf}\" }", "query = { q = 1 }"),
            ("\"${csrf}\" }", "\"${csfr}\" }"),
            ("auth = \"none\"", "auth = \"basic\""),
            ("auth = \"none\"", "auth = {}"),
            ("auth = \"none\"", "auth = { basic = [\"a\"] }"),
            ("auth = \"none\"", "auth = { basic = [\"a:b\", \"c\"] }"),
            ("auth = \"none\"", "auth = { basic = [\"a\", \"c\"], bearer = \"d\" }"),
            ("auth = \"none\"", "auth = { digest = [\"a\", \"c\"] }"),
            ("auth = \"none\"", "auth = { bearer = \"a\" }\nheaders = { Authorization = \"Bearer b\" }"),
            ("auth = \"none\"", "auth = { bearer = \"a\\nb\" }"),
            ("auth = { bearer = \"${token}\" }", "auth = { bearer = \"${toekn}\" }"),
            (
                "name = \"browse\"",
                "name = \"browse\"\nheaders = { X-Late = \"${late}\" }\n[[journey.step]]\nget = \"/late\"\nweight = 1\nsave = { late = \"/x\" }",
            ),
            ("X-Cart = \"${cart}\"", "x-tenant-id = \"${cart}\""),
            ("cookies = true", "cookies = \"yes\""),
        ]),
    );
}

#[test]
fn invalid_checks_and_saves() {
    let check = |to: &'static str| ("{ json = \"/ok\", is = true }", to);
    let save = |to: &'static str| ("{ json = \"/state\" }", to);
    shown(
        "invalid_checks_and_saves",
        &each(&[
            check("{}"),
            check("{ json = \"ok\", is = true }"),
            check("{ jsno = \"/ok\", is = true }"),
            check("{ json = \"/ok\", header = \"ok\", is = true }"),
            check("{ json = \"/ok\", is = true, not = false }"),
            check("{ json = \"/ok\", is = [1] }"),
            check("{ json = \"/ok\", is = nan }"),
            check("{ json = \"/ok\", is = 99999999999999999999 }"),
            check("{ json = \"/ok\", is = \"${nothing}\" }"),
            check("{ header = \"x cache\" }"),
            check("{ matches = \"(a\" }"),
            check("{ regex = 'a{1000}{1000}' }"),
            check("{ contains = 1 }"),
            check("{ not = \"errors\" }"),
            check("{ size = \"10kB\" }"),
            check("{ size = \"< 10 parsecs\" }"),
            check("{ json = \"/ok\", size = \"< 10kB\" }"),
            check("\"/ok\""),
            save("{}"),
            save("{ json = \"/state\", regex = \"a\" }"),
            save("{ body = true }"),
            save("{ regex = '[' }"),
            save("7"),
            save("\"state\""),
        ]),
    );
}

#[test]
fn invalid_step_selection() {
    let when = |to: &'static str| ("when = { saved = \"state\", is = \"open\" }", to);
    shown(
        "invalid_step_selection",
        &each(&[
            ("weight = 3", ""),
            ("weight = 3", "weight = 0"),
            ("weight = 3", "weight = 3\nevery = 2"),
            ("weight = 3", "weight = 3000000"),
            ("every = 5", "every = 0"),
            ("repeat = 3", "repeat = \"3\""),
            ("repeat = 3", "repeat = 3000000"),
            ("repeat = 3", "every = 3"),
            ("repeat = 3", "when = { absent = \"state\" }"),
            ("think_time = \"1s..2s\"", "think_time = \"2s..1s\""),
            ("status = 201", "status = 201\nevery = 2"),
            ("status = 201", "status = 201\nweight = 2"),
            when(""),
            when("when = \"stat\""),
            when("when = {}"),
            when("when = 3"),
            when("when = { saved = \"state\", is = 3 }"),
            when("when = { saved = \"state\", is = \"a\", not = \"b\" }"),
            when("when = { saved = \"state\", absent = \"token\" }"),
            when("when = { absent = \"state\", is = \"a\" }"),
            when("when = { absent = \"state\" }"),
            ("when = \"item\"", ""),
        ]),
    );
}

#[test]
fn bad_feeders() {
    let file = |to: &'static str| ("\"people.csv\"", to);
    shown(
        "bad_feeders",
        &each(&[
            ("name = \"people\"", "name = \"my people\""),
            ("name = \"people\"", ""),
            ("name = \"words\"", "name = \"people\""),
            ("file = \"words.jsonl\"", ""),
            ("order = \"unique\"", "order = \"shuffled\""),
            file("\"people.txt\""),
            file("\"nobody.csv\""),
            file("\"empty.csv\""),
            file("\"empty.jsonl\""),
            file("\"large.csv\""),
            ("${people.name}", "${peopel.name}"),
            ("${people.name}", "${people.nmae}"),
            ("users = 2", "users = 3"),
            ("users = 2", "rate = \"1/s\""),
            ("[[load]]", "[[load]]\njourney = \"shop\"\nusers = 1\nduration = \"1s\"\n[[load]]"),
        ]),
    );
}

#[test]
fn invalid_journey_weights() {
    let mix = |to: &'static str| ("journey = \"shop\"", to);
    shown(
        "invalid_journey_weights",
        &each(&[
            mix("journey = {}"),
            mix("journey = [\"shop\", \"browse\"]"),
            mix("journey = { shop = 3, browse = 0 }"),
            mix("journey = { shop = \"3\" }"),
            mix("journey = { shop = 1.5 }"),
            mix("journey = { shop = 3, bro = 1 }"),
            mix(""),
        ]),
    );
}

#[test]
fn invalid_data_rows() {
    let problems = |file: &str| {
        let text = SHOP.replace("people.csv", file);
        resolve(&text, "shop.toml", &SOURCES).unwrap_err().render(false)
    };
    shown("invalid_data_rows", &[problems("bad.csv"), problems("worse.jsonl")].join("\n"));
}
