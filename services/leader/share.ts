// How masters share the units: who tries first for a free Lease, and when one has so many that it hands one over. Pure.

/** A master as all others see it. */
export interface Peer {
  /** Unique per start of a process. */
  readonly owner: string;
  readonly pod: string;
  readonly revision: string;
  /** ms since 1970, by Redis' clock. */
  readonly startedAt: number;
  /** The units that it stands for. */
  readonly units: readonly string[];
  /** How many of them it leads. */
  readonly leads: number;
  /** It stops: it takes no more and hands over what it has. */
  readonly leaving: boolean;
}

/**
 * A newer revision tries first, so that an upgrade moves each Lease once. Long for a busy machine; and shorter than the rest of
 * one that could not begin, so that such a revision does not keep a Lease to itself.
 */
const OLDER_MS = 500;
/** Has its share already. */
const FULL_MS = 250;
/** As long as it takes to hear that one took it, and a little: the least burdened tries first. */
const BURDENED_MS = 50;

/** How long `me` lets others try first for a Lease, from when it is free. */
export function courtesyMs(me: Peer, others: readonly Peer[]): number {
  const standing = [me, ...others].filter(({ leaving }) => !leaving);
  if (standing.length < 2) return 0;
  if (me.revision !== newestRevision(standing)) return OLDER_MS;
  const equals = standing.filter(({ revision }) => revision === me.revision);
  const isBurdened = equals.some(({ leads }) => leads < me.leads);
  if (!isBurdened) return 0;
  return me.leads + 1 > mostOf(me, standing) ? FULL_MS : BURDENED_MS;
}

/** Whether `me` should hand one Lease over. Never while two revisions run: each Lease moves by itself then. */
export function holdsTooMany(me: Peer, others: readonly Peer[]): boolean {
  const standing = [me, ...others].filter(({ leaving }) => !leaving);
  const isMixed = [me, ...others].some(({ revision }) => revision !== me.revision);
  return !isMixed && standing.length > 1 && me.leads > mostOf(me, standing);
}

/** One more than its share, so that a change of one moves nothing. */
function mostOf(me: Peer, standing: readonly Peer[]): number {
  return Math.ceil(me.units.length / standing.length) + 1;
}

/** The one whose master started last: also after a way back to an older one. */
export function newestRevision(peers: readonly Peer[]): string | undefined {
  return peers.reduce<Peer | undefined>(
    (last, peer) => (last && last.startedAt >= peer.startedAt ? last : peer),
    undefined,
  )?.revision;
}
