// How many pods a pool should have, from how many its work requires: up at once, down only when it has long been enough and
// then in steps. Pure.

export interface Bounds {
  readonly min: number;
  readonly max: number;
}

interface Sample {
  readonly atMs: number;
  readonly pods: number;
}

/** What is remembered from one decision to the next. Times are of one monotonic clock. */
export interface History {
  /** What was required, oldest first; a later and larger one makes the smaller before it useless. */
  readonly samples: readonly Sample[];
  /** When something was known last. */
  readonly atMs: number;
  /** When it shrank last. */
  readonly shrankAtMs: number;
  /** How many pods there were at the beginning of the present growth. */
  readonly growth: Sample;
}

export interface Decided {
  readonly target: number;
  readonly history: History;
}

export interface Situation {
  readonly bounds: Bounds;
  /** How many there should be by now. */
  readonly present: number;
  /** undefined: nobody knows, for no worker of this pool has been seen. */
  readonly required: number | undefined;
  readonly history: History | undefined;
  readonly nowMs: number;
  /** Other than as below, for tests. */
  readonly calmMs?: number;
  readonly stepMs?: number;
}

/** Fewer is enough only when it was for so long: longer than from one run of a minutely schedule to the next. */
const CALM_MS = 120_000;
/** Then a quarter goes, and the next quarter after this. */
const STEP_MS = 30_000;
const STEP = 0.25;
/** Within this time their number at most triples, or grows by eight: the figures of the first moments are guesses. */
const GROWTH_MS = 15_000;
/** A change of less is not worth a move. */
const TOLERANCE = 0.1;
/** After such a silence nobody knows what was required. */
const SILENCE_MS = 15_000;

export function decide(situation: Situation): Decided {
  const { bounds, present, required, history: before, nowMs, calmMs = CALM_MS, stepMs = STEP_MS } = situation;
  const within = (pods: number): number => Math.min(Math.max(Math.ceil(pods), bounds.min), bounds.max);
  const known = before !== undefined && nowMs - before.atMs <= SILENCE_MS ? before : begun(present, nowMs);
  const wanted = required === undefined ? present : required;
  const history = remember(known, { now: { atMs: nowMs, pods: wanted }, present, calmMs });
  const decided = (target: number): Decided => ({ target, history });
  if (present > bounds.max) return decided(bounds.max);
  const up = within(wanted);
  const growthMax = Math.max(history.growth.pods * 3, history.growth.pods + 8);
  if (up > present) return decided(Math.max(bounds.min, Math.min(up, growthMax)));
  const enough = within(Math.max(...history.samples.map(({ pods }) => pods)));
  const isWorthIt = enough <= present * (1 - TOLERANCE) || enough === bounds.min;
  if (enough >= present || !isWorthIt || nowMs - history.shrankAtMs < stepMs) return decided(present);
  return decided(Math.max(enough, present - Math.max(1, Math.ceil(present * STEP))));
}

/** To be told when pods were removed. */
export function shrank(history: History, nowMs: number): History {
  return { ...history, shrankAtMs: nowMs };
}

/** What there is counts as required until more is known: whoever begins removes nothing. */
function begun(present: number, nowMs: number): History {
  const sample = { atMs: nowMs, pods: present };
  return { samples: [sample], atMs: nowMs, shrankAtMs: Number.NEGATIVE_INFINITY, growth: sample };
}

interface Seen {
  readonly now: Sample;
  readonly present: number;
  readonly calmMs: number;
}

function remember(history: History, { now, present, calmMs }: Seen): History {
  const recent = history.samples.filter(({ atMs, pods }) => now.atMs - atMs < calmMs && pods > now.pods);
  const isSameGrowth = now.atMs - history.growth.atMs < GROWTH_MS && present >= history.growth.pods;
  const growth = isSameGrowth ? history.growth : { atMs: now.atMs, pods: present };
  return { ...history, samples: [...recent, now], atMs: now.atMs, growth };
}
