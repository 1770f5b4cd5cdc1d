//! From raw findings to findings in people's words: names, places, stacks, a title and a help line.

pub mod kernel;
mod names;
mod race;
mod witness;
mod wording;

use crate::{
    analysis::{Help, RawEdge, RawFinding, RawPlace, WhyNot},
    finding::{Code, Edge, Finding, Frame, Object, Place, Releaser},
    model::{Model, ObjectId, Site, SiteId, ThreadId},
    symbolize::Symbolizer,
};
use rustc_hash::FxHashMap;
use trace_format::MESSAGE_MAX;

/// Explains raw findings, one for each set of equal ones.
///
/// A loop of a million inversions yields a million raw findings that differ in nothing a reader could see;
/// they are counted before anything is resolved.
pub fn explain_all(raw: Vec<RawFinding>, model: &Model, symbolizer: &mut Symbolizer<'_>) -> Vec<Finding> {
    let mut classes = Classes::default();
    let mut kept: Vec<RawFinding> = Vec::new();
    let mut idx_of: FxHashMap<Vec<u32>, usize> = FxHashMap::default();
    for mut finding in raw {
        rotate(&mut finding, model);
        let key = classes.key(&finding, model);
        if let Some(idx) = idx_of.get(&key) {
            kept[*idx].count = kept[*idx].count.saturating_add(finding.count);
        } else {
            idx_of.insert(key, kept.len());
            kept.push(finding);
        }
    }
    kept.iter().map(|finding| explain(finding, model, symbolizer)).collect()
}

/// Explains one raw finding; its ids are filled in by [`crate::identity::identify`].
pub fn explain(raw: &RawFinding, model: &Model, symbolizer: &mut Symbolizer<'_>) -> Finding {
    let thread_ids = distinct(
        raw.edges
            .iter()
            .flat_map(|edge| {
                let releasers = edge.could_release.iter().map(|(thread, _)| *thread);
                std::iter::once(edge.thread).chain(releasers)
            })
            .chain(raw.behind.iter().copied())
            .chain(race::threads_of(raw))
            .chain(raw.witness.iter().flat_map(witness::threads_of)),
    );
    let of_releasers = raw.edges.iter().flat_map(|edge| waited_for_by_releasers(edge, model));
    let of_witness = raw.witness.iter().flat_map(witness::objects_of);
    let of_race = race::objects_of(raw);
    let object_ids =
        distinct(raw.edges.iter().flat_map(objects_of).chain(of_releasers).chain(of_race).chain(of_witness));
    let threads = names::threads(&thread_ids, model);
    let mut objects = explain_objects(&object_ids, model, symbolizer);
    names::tell_processes(raw, &object_ids, &mut objects, model);
    race::describe(raw, &object_ids, &mut objects, symbolizer);
    names::make_distinct(&mut objects);
    let names = Names { model, thread_ids: &thread_ids, object_ids: &object_ids, objects: &objects };
    let edges = raw.edges.iter().map(|edge| explain_edge(edge, &names, symbolizer)).collect();
    let repair = race::repair(raw, &names, symbolizer);
    let mut finding = Finding {
        id: String::new(),
        line_id: String::new(),
        code: raw.code,
        certainty: raw.certainty,
        why: raw.why.clone(),
        assumes: raw.assumes.clone(),
        title: String::new(),
        count: raw.count,
        threads,
        edges,
        behind: raw.behind.iter().filter_map(|thread| names.thread_idx(*thread)).collect(),
        accesses: race::accesses(raw, &names, symbolizer),
        last_sync: race::last_sync(raw, &names, symbolizer),
        witness: raw.witness.as_ref().map(|witness| witness::explain(witness, &names, symbolizer)),
        objects,
        help: String::new(),
        notes: Vec::new(),
    };
    finding.title = wording::title(&finding, raw.help);
    finding.notes = wording::notes(&finding, repair.as_ref());
    finding.help = wording::help(&finding, raw.help, repair.as_ref());
    finding
}

/// What the threads and objects of a finding are called.
struct Names<'a> {
    model: &'a Model,
    thread_ids: &'a [ThreadId],
    object_ids: &'a [ObjectId],
    objects: &'a [Object],
}

impl Names<'_> {
    fn thread_idx(&self, thread: ThreadId) -> Option<usize> {
        self.thread_ids.iter().position(|id| *id == thread)
    }

    fn object_idx(&self, object: ObjectId) -> Option<usize> {
        self.object_ids.iter().position(|id| *id == object)
    }

    /// Who could end a wait, and why they cannot.
    fn releaser(
        &self,
        (thread, why_not): (ThreadId, WhyNot),
        wants: Option<(Option<ObjectId>, &'static str, SiteId)>,
        symbolizer: &mut Symbolizer<'_>,
    ) -> Option<Releaser> {
        let is_left_behind =
            |thread: ThreadId| self.model.threads.get(thread.idx()).is_some_and(|of| of.is_left_behind);
        let why_not = match why_not {
            WhyNot::Ended if is_left_behind(thread) => wording::LEFT_BEHIND.to_owned(),
            WhyNot::Waits => {
                let wait = self.model.threads.get(thread.idx()).and_then(|thread| thread.wait.as_ref());
                let object = wait.and_then(|wait| self.objects.get(self.object_idx(wait.object?)?));
                wording::waits_itself(object)
            }
            WhyNot::InCycleBefore(site) => {
                let (object, mode, _) = wants?;
                let object = object.and_then(|object| self.objects.get(self.object_idx(object)?));
                wording::waits_before(mode, object, &symbolizer.place(site))
            }
            other => wording::why_not(other).to_owned(),
        };
        Some(Releaser { thread: self.thread_idx(thread)?, why_not })
    }
}

fn explain_edge(raw: &RawEdge, names: &Names<'_>, symbolizer: &mut Symbolizer<'_>) -> Edge {
    let (held_mode, held_site) = raw.holds.map(|(_, mode, site)| (mode.to_owned(), site)).unzip();
    let (wanted_mode, wanted_site) = raw.wants.map(|(_, mode, site)| (mode.to_owned(), site)).unzip();
    let (held_at, held_stack) = place_and_stack(held_site, symbolizer);
    let (wanted_at, wanted_stack) = place_and_stack(wanted_site, symbolizer);
    let (held_at, wanted_at) = outside_helper((held_at, &held_stack), (wanted_at, &wanted_stack), symbolizer);
    Edge {
        thread: names.thread_idx(raw.thread).unwrap_or_default(),
        holds: raw.holds.and_then(|(object, ..)| names.object_idx(object)),
        held_mode,
        held_at,
        held_stack,
        released_at: released_at(raw, names.model, symbolizer),
        wants: raw.wants.and_then(|(object, ..)| names.object_idx(object?)),
        wanted_mode,
        wanted_at,
        wanted_stack,
        could_release: raw
            .could_release
            .iter()
            .filter_map(|releaser| names.releaser(*releaser, raw.wants, symbolizer))
            .collect(),
    }
}

/// Where what the edge's thread holds was dropped, if it is known.
fn released_at(raw: &RawEdge, model: &Model, symbolizer: &mut Symbolizer<'_>) -> Option<Place> {
    let (_, _, held_at) = raw.holds?;
    let place = symbolizer.place(*model.released.get(&held_at)?);
    place.is_known().then_some(place)
}

fn place_and_stack(site: Option<SiteId>, symbolizer: &mut Symbolizer<'_>) -> (Option<Place>, Vec<Frame>) {
    let place = site.map(|site| symbolizer.place(site));
    (place, site.map(|site| symbolizer.stack(site).to_vec()).unwrap_or_default())
}

/// The places to show: if both locks were taken by the same line, in a user's own `fn lock(m)`, then the lines
/// that called it, the first in which the two stacks differ.
fn outside_helper(
    (held_at, held_stack): (Option<Place>, &[Frame]),
    (wanted_at, wanted_stack): (Option<Place>, &[Frame]),
    symbolizer: &mut Symbolizer<'_>,
) -> (Option<Place>, Option<Place>) {
    if held_at.is_some() && held_at == wanted_at {
        let differing = held_stack.iter().zip(wanted_stack).find(|(held, wanted)| !held.is_same_line(wanted));
        if let Some((held, wanted)) = differing
            && let (Some(held), Some(wanted)) = (symbolizer.place_of(held), symbolizer.place_of(wanted))
        {
            return (Some(held), Some(wanted));
        }
    }
    (held_at, wanted_at)
}

fn explain_objects(ids: &[ObjectId], model: &Model, symbolizer: &mut Symbolizer<'_>) -> Vec<Object> {
    let objects = ids.iter().map(|id| {
        let object = &model.objects[id.idx()];
        let created_at = object.created_at.map(|site| symbolizer.place(site));
        Object {
            reference: names::object_reference(object, created_at.as_ref()),
            kind: object.kind.name().to_owned(),
            type_name: object.type_name.clone(),
            label: object.label.clone(),
            created_at,
            // All ones stand for no bound.
            capacity: object.capacity.filter(|capacity| *capacity < MESSAGE_MAX),
        }
    });
    objects.collect()
}

fn objects_of(edge: &RawEdge) -> impl Iterator<Item = ObjectId> {
    let held = edge.holds.map(|(object, ..)| object);
    let wanted = edge.wants.and_then(|(object, ..)| object);
    held.into_iter().chain(wanted)
}

/// What the threads wait for that could have ended the wait of an edge.
fn waited_for_by_releasers<'a>(edge: &'a RawEdge, model: &'a Model) -> impl Iterator<Item = ObjectId> + 'a {
    let waiting = edge.could_release.iter().filter(|(_, why_not)| *why_not == WhyNot::Waits);
    waiting.filter_map(|(thread, _)| model.threads.get(thread.idx())?.wait.as_ref()?.object)
}

fn distinct<T: Copy + PartialEq>(ids: impl Iterator<Item = T>) -> Vec<T> {
    let mut seen = Vec::new();
    for id in ids {
        if !seen.contains(&id) {
            seen.push(id);
        }
    }
    seen
}

/// Lets a cycle begin with the edge that comes first in the source, so that a report does not depend on the
/// thread with which the analysis happened to begin.
fn rotate(finding: &mut RawFinding, model: &Model) {
    let is_circle = finding.code == Code::PredictedDeadlock && finding.help == Help::NotWhileHolding;
    if !finding.code.is_cycle() && !is_circle {
        return;
    }
    let code = finding.code;
    let place = |site: SiteId| model.sites.get(site.idx()).map(|site| (&site.file, site.line, site.column));
    let key = |edge: &RawEdge| {
        let held = edge.holds.and_then(|(_, _, site)| place(site));
        let wanted = edge.wants.and_then(|(_, _, site)| place(site));
        // Threads are numbered as they begin to record, so names come first.
        let name = model.threads.get(edge.thread.idx()).and_then(|thread| thread.name.as_deref());
        // Whoever reads again comes before the writer that may ask in between.
        let is_again = edge.holds.map(|(object, ..)| object) == edge.wants.and_then(|(object, ..)| object);
        // Whoever holds something shows more than whoever only waits.
        let shows_less = matches!(code, Code::Deadlock | Code::PredictedDeadlock) && edge.holds.is_none();
        (code == Code::SelfDeadlock && !is_again, shows_less, held, wanted, name, edge.thread)
    };
    if let Some(start) = (0..finding.edges.len()).min_by_key(|idx| key(&finding.edges[*idx])) {
        finding.edges.rotate_left(start);
    }
}

/// Numbers classes of objects, so that raw findings can be compared without comparing texts.
#[derive(Default)]
struct Classes<'m> {
    numbers: FxHashMap<(u8, &'m str, Option<&'m str>), u32>,
    modes: Vec<&'static str>,
    /// Places that the model does not have.
    spots: FxHashMap<(Site, Vec<u64>), u32>,
}

impl<'m> Classes<'m> {
    fn number(&mut self, object: ObjectId, model: &'m Model) -> u32 {
        let next = self.numbers.len() as u32;
        let object = &model.objects[object.idx()];
        *self.numbers.entry((object.kind as u8, &object.type_name, object.label.as_deref())).or_insert(next)
    }

    fn mode_number(&mut self, mode: &'static str) -> u32 {
        let number = self.modes.iter().position(|known| *known == mode).unwrap_or_else(|| {
            self.modes.push(mode);
            self.modes.len() - 1
        });
        number as u32
    }

    /// Equal for two findings of one model that differ in threads and in objects of one class only.
    fn key(&mut self, finding: &RawFinding, model: &'m Model) -> Vec<u32> {
        const NONE: u32 = u32::MAX;
        let mut key = vec![finding.code as u32, finding.certainty as u32];
        for edge in &finding.edges {
            // Threads of a stall are what it is about.
            let thread = if finding.code == Code::Stall { edge.thread.0 } else { NONE };
            let held = edge
                .holds
                .map_or([NONE; 3], |(object, mode, site)| [self.number(object, model), self.mode_number(mode), site.0]);
            let wanted = edge.wants.map_or([NONE; 3], |(object, mode, site)| {
                [object.map_or(NONE, |object| self.number(object, model)), self.mode_number(mode), site.0]
            });
            key.push(thread);
            key.extend(held);
            key.extend(wanted);
        }
        // Which of two accesses came first differs from race to race.
        let mut accesses: Vec<[u32; 4]> = Vec::new();
        for access in &finding.accesses {
            let object = access.object.map_or(NONE, |object| self.number(object, model));
            let [is_spot, place] = self.place_number(&access.at);
            accesses.push([object, access.op as u32, is_spot, place]);
        }
        accesses.sort_unstable();
        key.extend(accesses.into_flattened());
        key
    }

    fn place_number(&mut self, place: &RawPlace) -> [u32; 2] {
        match place {
            RawPlace::Site(site) => [0, site.0],
            RawPlace::Spot(spot) => {
                let next = self.spots.len() as u32;
                [1, *self.spots.entry((spot.site.clone(), spot.stack.clone())).or_insert(next)]
            }
        }
    }
}
