//! Links operations whose responses contain values that others need, and orders them by that.
//!
//! `POST /session` returns `session_id`, and `POST /chat` sends one; `POST /pets` returns `id`, and `GET
//! /pets/{petId}` needs it. Linked operations are one journey, as are those of one tag.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::operation::{Body, Operation, Place};

/// What is there without being saved.
const BUILT_IN: [&str; 4] = ["tenant", "user", "n", "canary"];

/// An operation in its journey.
#[derive(Debug)]
pub(super) struct Linked {
    /// What it is.
    pub(super) operation: Operation,
    /// The values that it saves: names for templates, and JSON Pointers.
    pub(super) saves: BTreeMap<String, String>,
    /// The template names of its parameters and of the fields of its body.
    pub(super) fills: BTreeMap<String, String>,
    /// Whether each user does it once: others depend on its response, and nothing removes what it created.
    pub(super) is_start: bool,
}

/// Operations that run one after the other.
#[derive(Debug)]
pub(super) struct Group {
    /// Its name: the tag of its first operation.
    pub(super) name: String,
    /// In order.
    pub(super) operations: Vec<Linked>,
}

/// Links operations, and sorts them into journeys.
pub(super) fn journeys(mut operations: Vec<Operation>) -> Vec<Group> {
    operations.sort_by_key(rank);
    let mut links = Links {
        of: vec![BTreeMap::new(); operations.len()],
        saved: vec![BTreeMap::new(); operations.len()],
        responses: operations.iter().map(response_fields).collect(),
    };
    for consumer in 0..operations.len() {
        for name in asked(&operations[consumer]) {
            links.link(&operations, consumer, &name);
        }
    }
    let order = links.order(operations.len());
    let journey_of = links.journeys(&operations);
    let starts: Vec<bool> = (0..operations.len()).map(|i| links.is_start(&operations, i)).collect();
    let mut parts: BTreeMap<usize, Linked> = operations
        .into_iter()
        .zip(links.saved)
        .zip(links.of)
        .zip(starts)
        .map(|(((operation, saves), of), is_start)| {
            let fills = of.into_iter().map(|(name, (_, called))| (name, called)).collect();
            Linked { operation, saves, fills, is_start }
        })
        .enumerate()
        .collect();
    let mut groups: Vec<(usize, Group)> = Vec::new();
    for i in order {
        let Some(linked) = parts.remove(&i) else { continue };
        match groups.iter_mut().find(|(journey, _)| *journey == journey_of[i]) {
            Some((_, group)) => group.operations.push(linked),
            None => {
                let name = linked.operation.group.clone();
                groups.push((journey_of[i], Group { name, operations: vec![linked] }));
            }
        }
    }
    let mut groups: Vec<Group> = groups.into_iter().map(|(_, group)| group).collect();
    for group in &mut groups {
        // A journey of start steps only repeats them instead.
        if group.operations.iter().all(|linked| linked.is_start) {
            group.operations.iter_mut().for_each(|linked| linked.is_start = false);
        }
        group.operations.sort_by_key(|linked| !linked.is_start);
    }
    groups
}

/// The order of operations: create, read, change, and finally remove.
fn rank(operation: &Operation) -> (u8, usize) {
    let depth = operation.path.split('/').count();
    match operation.method {
        "post" if !operation.path.contains('{') => (0, depth),
        "get" | "head" | "options" => (1, depth),
        "delete" => (3, usize::MAX - depth),
        _ => (2, depth),
    }
}

/// The names of the values that an operation needs: parameters, and fields of its body that refer to
/// something else.
fn asked(operation: &Operation) -> BTreeSet<String> {
    let parameters = operation.parameters.iter().filter(|parameter| parameter.place != Place::Header);
    let mut names: BTreeSet<String> = parameters.map(|parameter| parameter.name.clone()).collect();
    let fields: Vec<&String> = match &operation.body {
        Body::Json(Value::Object(fields)) => fields.keys().collect(),
        Body::Form(fields) => fields.iter().map(|(name, _)| name).collect(),
        _ => Vec::new(),
    };
    names.extend(
        fields.into_iter().filter(|name| plain(name).ends_with("id") && plain(name) != "id").cloned(),
    );
    names
}

/// A name without the differences of style: `petId` and `pet_id` are one.
pub(super) fn plain(name: &str) -> String {
    name.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase()
}

/// The fields of a response that others can use, by their plain names.
fn response_fields(operation: &Operation) -> BTreeMap<String, String> {
    let mut responses = BTreeMap::new();
    let fields = operation
        .responses
        .iter()
        .filter(|(field, _)| operation.method == "post" && !plain(field).is_empty());
    for (field, pointer) in fields {
        responses.entry(plain(field)).or_insert_with(|| pointer.clone());
    }
    responses
}

/// Whether a name means the user's tenant, which every template knows.
pub(super) fn is_tenant(name: &str) -> bool {
    ["tenant", "tenantid", "xtenant", "xtenantid"].contains(&plain(name).as_str())
}

#[derive(Debug)]
struct Links {
    /// By operation and the name that it needs: the operation whose response has it, and its name there.
    of: Vec<BTreeMap<String, (usize, String)>>,
    /// Of each operation: what it saves.
    saved: Vec<BTreeMap<String, String>>,
    /// By operation that creates something: the fields of its response by their plain names.
    responses: Vec<BTreeMap<String, String>>,
}

impl Links {
    /// Finds the operation whose response has the value that `consumer` needs as `name`: the collection in
    /// its path for an `id`, or any operation whose response has the name.
    fn link(&mut self, operations: &[Operation], consumer: usize, name: &str) {
        if is_tenant(name) {
            return;
        }
        let (path, plain_name) = (&operations[consumer].path, plain(name));
        let parent = path.find(&format!("/{{{name}}}")).map(|at| &path[..at]);
        let mut makers: Vec<(usize, String)> = Vec::new();
        for (i, operation) in
            operations.iter().enumerate().filter(|(i, op)| *i != consumer && op.method == "post")
        {
            let by_name = self.responses[i].get(&plain_name);
            let by_id = || operation.responses.get("id").filter(|_| parent == Some(operation.path.as_str()));
            if let Some(pointer) = by_name.or_else(by_id) {
                makers.push((i, pointer.clone()));
            }
        }
        // The operation that creates such things is the source; others only mention them.
        makers.sort_by_key(|(i, _)| {
            (parent != Some(operations[*i].path.as_str()), !asked(&operations[*i]).is_empty())
        });
        let Some((maker, pointer)) = makers.into_iter().find(|(maker, _)| !self.leads_to(*maker, consumer))
        else {
            return;
        };
        let known =
            self.saved[maker].iter().find(|(_, at)| **at == pointer).map(|(called, _)| called.clone());
        let called = known.unwrap_or_else(|| self.free_name(name));
        self.saved[maker].insert(called.clone(), pointer);
        self.of[consumer].insert(name.to_owned(), (maker, called));
    }

    /// Whether `from` depends, directly or not, on the response of `to`.
    fn leads_to(&self, from: usize, to: usize) -> bool {
        let (mut seen, mut next) = (BTreeSet::new(), vec![from]);
        while let Some(one) = next.pop() {
            if one == to {
                return true;
            }
            if seen.insert(one) {
                next.extend(self.of[one].values().map(|(maker, _)| *maker));
            }
        }
        false
    }

    /// A name for templates that nothing else has.
    fn free_name(&self, name: &str) -> String {
        let allowed = |c: char| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' };
        let mut free: String = name.chars().map(allowed).collect();
        let is_good = free.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
        if !is_good || BUILT_IN.contains(&free.as_str()) {
            free.insert_str(0, "the_");
        }
        while self.saved.iter().any(|saved| saved.contains_key(&free)) {
            free.push('_');
        }
        free
    }

    /// Positions in an order in which creators precede the operations that depend on them.
    fn order(&self, count: usize) -> Vec<usize> {
        fn visit(links: &Links, i: usize, order: &mut Vec<usize>) {
            if !order.contains(&i) {
                links.of[i].values().for_each(|(maker, _)| visit(links, *maker, order));
                order.push(i);
            }
        }
        let mut order = Vec::new();
        (0..count).for_each(|i| visit(self, i, &mut order));
        order
    }

    /// Of each operation a number of its journey: the same for those that are linked or share a tag.
    fn journeys(&self, operations: &[Operation]) -> Vec<usize> {
        let mut journeys: Vec<usize> = (0..operations.len()).collect();
        let mut join = |one: usize, other: usize| {
            let (from, to) = (journeys[one], journeys[other]);
            journeys.iter_mut().filter(|journey| **journey == from).for_each(|journey| *journey = to);
        };
        for (i, operation) in operations.iter().enumerate() {
            if let Some(first) = operations.iter().position(|other| other.group == operation.group) {
                join(i, first);
            }
            self.of[i].values().for_each(|(maker, _)| join(i, *maker));
        }
        journeys
    }

    /// Whether each user does it once: others depend on it, it depends on nothing, and nothing removes what
    /// it created.
    fn is_start(&self, operations: &[Operation], maker: usize) -> bool {
        let users = || (0..operations.len()).filter(|i| self.of[*i].values().any(|(by, _)| *by == maker));
        let lives_on_start = self.of[maker].is_empty();
        lives_on_start && users().next().is_some() && users().all(|i| operations[i].method != "delete")
    }
}
