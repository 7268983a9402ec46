// What is left of the load in Redis and in the fake chat service, and everything that is wrong with it.

import type { Post } from "../support/fake-chat.ts";
import type { SoakEvent } from "./soak-load.ts";
import * as words from "./soak-words.ts";

export interface Ledger {
  readonly accepted: readonly SoakEvent[];
  /** In the order in which the runs wrote them. */
  readonly notes: readonly words.RunNote[];
  /** The store of the handler: its values are lists of events. */
  readonly store: ReadonlyMap<string, readonly string[]>;
  /** What each web chat session shows. */
  readonly sessions: ReadonlyMap<string, readonly { readonly ref: string; readonly text: string }[]>;
  readonly posts: readonly Post[];
  /** How often another master, or the same one anew, began to speak in the fake chat service. */
  readonly takeovers: number;
}

/** One line for each thing that was promised and is not so. */
export function problemsOf(ledger: Ledger): string[] {
  return [
    ...unhandled(ledger),
    ...storedTwice(ledger),
    ...outOfOrder(ledger),
    ...webProblems(ledger),
    ...postProblems(ledger),
  ];
}

/** What nobody was promised is left out: it may have been handled, once or not at all, at any place in its order. */
export function without(givenUp: readonly SoakEvent[], ledger: Ledger): Ledger {
  if (givenUp.length === 0) return ledger;
  const ids = new Set(givenUp.map(({ id }) => id));
  const uids = new Set(givenUp.map(({ uid }) => uid));
  const answers = new Set(givenUp.map(({ id }) => words.textOfReply(id)));
  const store = [...ledger.store].map(([field, events]) => [field, events.filter((id) => !ids.has(id))] as const);
  const sessions = [...ledger.sessions].map(
    ([name, lines]) => [name, lines.filter(({ ref, text }) => !uids.has(ref) && !answers.has(text))] as const,
  );
  return { ...ledger, store: new Map(store), sessions: new Map(sessions) };
}

/** Workers with a run that began and never ended. */
export function interruptedWorkers(notes: readonly words.RunNote[]): Set<string> {
  const ended = new Set(notes.filter(({ phase }) => phase === "end").map(({ run }) => run));
  return new Set(notes.filter(({ phase, run }) => phase === "begin" && !ended.has(run)).map(({ worker }) => worker));
}

const isHook = ({ kind }: SoakEvent): boolean => kind === "webhook" || kind === "keyed webhook";

/** Every event and every child that must have been handled. */
function expectedEvents(accepted: readonly SoakEvent[]): string[] {
  return accepted.flatMap((event) => (isHook(event) ? [event.id, words.childOf(event.id)] : [event.id]));
}

function unhandled({ accepted, notes }: Ledger): string[] {
  const ended = new Set(notes.filter(({ phase }) => phase === "end").map(({ event }) => event));
  return expectedEvents(accepted).flatMap((event) => (ended.has(event) ? [] : [`${event}: no run of it ended`]));
}

/** Two deliveries of one event, or two settles of one delivery. */
function storedTwice({ accepted, notes, store }: Ledger): string[] {
  const deliveries = new Map<string, Set<string>>();
  for (const { event, delivery } of notes) deliveries.set(event, (deliveries.get(event) ?? new Set()).add(delivery));
  const problems = [...deliveries].flatMap(([event, ids]) =>
    ids.size > 1 ? [`${event}: ${ids.size} deliveries`] : [],
  );
  const keyless = accepted.flatMap((event) => [
    ...(event.key === "" ? [event.id] : []),
    ...(isHook(event) ? [words.childOf(event.id)] : []),
  ]);
  for (const event of keyless) {
    const settled = store.get(words.onceField(event)) ?? [];
    if (settled.length !== 1) problems.push(`${event}: settled ${settled.length} times`);
  }
  return problems;
}

function outOfOrder({ accepted, notes, store }: Ledger): string[] {
  const first = new Map<string, number>();
  for (const [at, { event }] of notes.entries()) if (!first.has(event)) first.set(event, at);
  return [...byKey(accepted)].flatMap(([key, events]) => {
    const ids = events.map(({ id }) => id);
    const begun = ids.toSorted((a, b) => (first.get(a) ?? 0) - (first.get(b) ?? 0));
    const settled = store.get(words.orderField(key)) ?? [];
    return [...differ(`${key}: first runs`, begun, ids), ...differ(`${key}: settled`, settled, ids)];
  });
}

function byKey(accepted: readonly SoakEvent[]): Map<string, SoakEvent[]> {
  const keyed = accepted.filter(({ key }) => key !== "");
  return Map.groupBy(keyed, ({ key }) => key);
}

function differ(what: string, found: readonly string[], expected: readonly string[]): string[] {
  const at = expected.findIndex((one, index) => found[index] !== one);
  if (at < 0 && found.length === expected.length) return [];
  const first = at < 0 ? expected.length : at;
  const told = `${what} (${found.length} of ${expected.length})`;
  return [`${told}: number ${first + 1} is ${found[first] ?? "missing"}, accepted was ${expected[first] ?? "nothing"}`];
}

/** Every line and every answer once, answers in the order of the lines. */
function webProblems({ accepted, sessions }: Ledger): string[] {
  const lines = accepted.filter(({ kind }) => kind === "web chat line");
  return [...byKey(lines)].flatMap(([session, events]) => {
    const shown = sessions.get(session) ?? [];
    const refs = new Set(shown.map(({ ref }) => ref));
    const said = shown.filter(({ ref }) => events.some(({ uid }) => uid === ref)).map(({ ref }) => ref);
    const answers = shown.filter(({ text }) => !text.startsWith("antiphon ")).map(({ text }) => text);
    return [
      ...(refs.size === shown.length ? [] : [`${session}: ${shown.length} lines, ${refs.size} refs`]),
      ...differ(
        `${session}: lines`,
        said,
        events.map(({ uid }) => uid),
      ),
      ...differ(
        `${session}: answers`,
        answers,
        events.map(({ id }) => words.textOfReply(id)),
      ),
    ];
  });
}

/** Everything is said, and what is said again is one Action per room and takeover. */
function postProblems({ accepted, posts, takeovers }: Ledger): string[] {
  const expected = accepted.flatMap((event) => {
    if (event.kind === "webhook") return [words.textOfHook(event.id)];
    return event.kind === "fake chat line" ? [words.textOfReply(event.id)] : [];
  });
  const actions = Map.groupBy(posts, ({ text }) => text);
  const problems = expected.flatMap((text) => {
    const ids = new Set(actions.get(text)?.map(({ actionId }) => actionId));
    return ids.size === 1 ? [] : [`"${text}" was said by ${ids.size} Actions`];
  });
  for (const [room, said] of Map.groupBy(posts, ({ room }) => room)) {
    const again = said.length - new Set(said.map(({ actionId }) => actionId)).size;
    if (again > takeovers) problems.push(`${room}: ${again} said again after ${takeovers} takeovers`);
  }
  const place = new Map(posts.toReversed().map(({ text }, index) => [text, -index]));
  for (const [key, events] of byKey(accepted.filter(({ kind }) => kind === "fake chat line"))) {
    const texts = events.map(({ id }) => words.textOfReply(id));
    const said = texts.toSorted((a, b) => (place.get(a) ?? 0) - (place.get(b) ?? 0));
    problems.push(...differ(`${key}: answers`, said, texts));
  }
  return problems;
}
