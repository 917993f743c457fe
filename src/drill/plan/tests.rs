use std::path::Path;
use std::time::Duration;

use chrono::TimeDelta;

use super::checks::{Expected, Probe};
use super::{Choice, Plan, Target};
use crate::drill::gate::Gate;
use crate::drill::scenario::Injection;

const WHOLE: &str = r##"
title = "Weekly: the blog from the second region"
repositories = ["blog"]
summary = "Frankfurt is gone, and so is this machine"
snapshot = "random within 90d"
target = "standby"
disaster = "2026-11-20T10:00:00Z"
owner = "anna"
due_days = 14

scenario = [
    { kind = "replica-gone", replica = "frankfurt" },
    { kind = "packs-damaged", share = "5%", replica = "office" },
    { kind = "person-absent", person = "anna" },
    "machine-gone",
]

[exclude]
webhooks = "Prismic keeps them nowhere that can be read"

[objectives]
rto = "4h"
rpo = "26h"
fidelity = "99.9%"

[[participants]]
name = "anna"
role = "leads the recovery"
substitute = "bela"

[contacts]
blog = ["dr@example.org"]

[[check]]
name = "home page"
query = '[at(document.type, "page")]'
lang = "en-us"
expect = { uids = ["home"] }

[[check]]
name = "smoke test"
command = ["node", "smoke.mjs"]
timeout = "90s"

[site]
command = ["npm", "start"]
url = "http://127.0.0.1:3000/"
pages = ["/", { path = "/about", expect = "About us" }]

[gates]
acceptance = "clara"
functional = "bela"
"##;

fn parse(text: &str) -> Result<Plan, String> {
    Plan::parse(Path::new("drills/weekly.toml"), text).map_err(|error| error.to_string())
}

/// A plan with as little as possible, and this besides.
fn with(more: &str) -> Result<Plan, String> {
    parse(&format!("repositories = [\"*\"]\nsummary = \"x\"\ntarget = \"sandbox\"\n{more}"))
}

#[test]
fn everything_in_a_plan_is_read() {
    let plan = parse(WHOLE).unwrap();
    assert_eq!((plan.name.as_str(), plan.target.clone(), plan.due_days), ("weekly", Target::Standby, 14));
    assert_eq!(plan.snapshot, Choice::RandomWithin { age: TimeDelta::days(90) });
    assert_eq!(plan.scenario.len(), 4);
    assert_eq!(
        plan.scenario[1],
        Injection::PacksDamaged { share: 0.05, replica: Some("office".parse().unwrap()) }
    );
    assert_eq!(plan.scenario[3], Injection::MachineGone);
    assert_eq!(plan.objectives.rto, Some(Duration::from_hours(4)));
    assert!((plan.objectives.fidelity - 0.999).abs() < 1e-9 && plan.objectives.erasure_replay);
    assert!(matches!(&plan.checks[0].probe, Probe::Query { lang, expect: Expected::Uids(uids), .. }
        if lang == "en-us" && uids == &["home"]));
    assert!(matches!(&plan.checks[1].probe, Probe::Command { timeout, .. } if timeout.as_secs() == 90));
    let site = plan.site.as_ref().unwrap();
    assert_eq!(
        (site.url.as_str(), site.pages[1].expect.as_deref()),
        ("http://127.0.0.1:3000", Some("About us"))
    );
    let gates: Vec<Gate> = plan.gates.iter().map(|(gate, _)| *gate).collect();
    assert_eq!(gates, [Gate::Functional, Gate::Acceptance], "in their order");
    // Who is away is stood in for.
    assert!(plan.is_absent("anna") && plan.substitute_of("anna") == Some("bela"));
    assert_eq!((plan.owner_of(Gate::Functional), plan.owner_of(Gate::Limited)), (Some("bela"), None));
}

#[test]
fn a_plan_with_as_little_as_possible_asks_for_all_that_can_be_shown() {
    let plan = with("").unwrap();
    assert_eq!((plan.snapshot, plan.objectives.rto), (Choice::Latest, None));
    assert!((plan.objectives.fidelity - 1.0).abs() < f64::EPSILON && plan.objectives.erasure_replay);
}

#[test]
fn criteria_are_the_same_to_the_byte_and_change_with_what_is_to_be_shown() {
    let digest = |text: &str| parse(text).unwrap().criteria().digest();
    assert_eq!(digest(WHOLE), digest(&format!("# a comment\n{WHOLE}")));
    for (old, new) in [
        ("rto = \"4h\"", "rto = \"5h\""),
        ("fidelity = \"99.9%\"", "fidelity = \"99%\""),
        ("uids = [\"home\"]", "uids = [\"start\"]"),
        ("share = \"5%\"", "share = \"1%\""),
        ("acceptance = \"clara\"", "acceptance = \"bela\""),
        ("\"About us\"", "\"About\""),
    ] {
        assert!(WHOLE.contains(old), "{old}");
        assert_ne!(digest(WHOLE), digest(&WHOLE.replace(old, new)), "{old}");
    }
    // Who is called is no criterion.
    assert_eq!(digest(WHOLE), digest(&WHOLE.replace("dr@example.org", "other@example.org")));
}

#[test]
fn mistakes_are_told_with_their_line_and_what_was_meant() {
    for (more, words) in [
        ("repeat = 3", "unknown key"),
        ("snapshot = \"newest\"", "random within 90d"),
        ("snapshot = \"random within 90y\"", "random within 90d"),
        ("scenario = [\"replica-gone\"]", "needs more"),
        ("scenario = [\"replica-lost\"]", "replica-gone"),
        ("scenario = [{ kind = \"newest-missing\", replica = \"x\" }]", "says nothing of"),
        ("scenario = [{ kind = \"packs-damaged\", share = \"0%\" }]", "above 0%"),
        ("scenario = [{ kind = \"packs-damaged\", share = \"101%\" }]", "at most 100%"),
        ("[objectives]\nrto = \"0s\"", "duration"),
        ("[objectives]\nrecovery = \"4h\"", "unknown key"),
        ("[gates]\nfirst = \"anna\"", "not a gate"),
        ("[[check]]\nname = \"x\"", "needs `query` or `command`"),
        ("[[check]]\nname = \"x\"\nquery = '[at(document.type, \"a\")]'\ncommand = [\"a\"]", "not both"),
        ("[[check]]\nname = \"x\"\nquery = '[at(document.type'", "is no query"),
        ("[[check]]\nname = \"x\"\ncommand = [\"a\"]\nlang = \"*\"", "check by command"),
        ("[[check]]\nname = \"x\"\nquery = '[at(document.type, \"a\")]'\ntimeout = \"1s\"", "check by query"),
        ("[[check]]\nname = \"x\"\ncommand = []", "is empty"),
        ("[[check]]\nname = \"x\"\ncommand = [\"a\"]\ntimeout = \"13h\"", "12h"),
        (
            "[[check]]\nname = \"x\"\ncommand = [\"a\"]\n[[check]]\nname = \"x\"\ncommand = [\"b\"]",
            "there already",
        ),
        ("[site]\ncommand = [\"a\"]\nurl = \"file:///etc\"", "http://"),
        ("[site]\ncommand = [\"a\"]\nurl = \"http://x\"\npages = [\"about\"]", "begin with /"),
        ("[[participants]]\nname = \"a\"\nrole = \"b\"\nsubstitute = \"a\"", "their own substitute"),
        ("[contacts]\n\"Big Blog\" = [\"x\"]", "contacts"),
        ("due_days = 0", "from 1 to"),
    ] {
        let error = with(more).err().unwrap_or_else(|| panic!("{more} is taken"));
        assert!(error.contains(words), "{more}: {error}");
        assert!(error.contains("weekly.toml:"), "with its line: {error}");
    }
    assert!(
        parse("summary = \"x\"\ntarget = \"sandbox\"").is_err_and(|error| error.contains("repositories"))
    );
    assert!(parse("repositories = []\nsummary = \"x\"\ntarget = \"standby\"").is_err());
    let error = Plan::parse(Path::new("drills/Weekly drill.toml"), WHOLE).unwrap_err().to_string();
    assert!(error.contains("the name of the file is the name of the drill"), "{error}");
}
