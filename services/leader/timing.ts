// The times of a Lease, all derived from its length, and the relations between them that keep two leaders apart.

import { AntiphonError } from "../runtime/errors.ts";

export interface LeaseTiming {
  /** How long Redis keeps an unrenewed Lease. */
  readonly leaseMs: number;
  readonly renewMs: number;
  /** The longest wait for one answer of Redis. */
  readonly commandMs: number;
  /** After the start of the last successful renewal: from then on the holder no longer acts, though Redis still has it. */
  readonly deadlineMs: number;
  /** The longest stall between a check and the act it allowed that does no harm. */
  readonly stallMs: number;
  /** How long a connection may take to end after the Lease is lost. */
  readonly closeMs: number;
  /** The longest sleep of a standby, should it miss the word that the Lease is free. */
  readonly pollMs: number;
}

/** A third to renew, two thirds to give up; the rest in proportion to a Lease of 6 s. */
export function leaseTiming(leaseMs: number): LeaseTiming {
  const timing = {
    leaseMs: Math.round(leaseMs),
    renewMs: Math.round(leaseMs / 3),
    commandMs: Math.round((leaseMs * 2) / 15),
    deadlineMs: Math.round((leaseMs * 2) / 3),
    stallMs: Math.round(leaseMs / 6),
    closeMs: Math.round(leaseMs / 12),
    pollMs: Math.min(1_000, Math.round(leaseMs / 2)),
  };
  checkTiming(timing);
  return timing;
}

const CLOCK_DRIFT = 0.01;

/** Throws CONFIG_INVALID and names each relation that does not hold. */
export function checkTiming(t: LeaseTiming): void {
  const graceMs = t.leaseMs - t.deadlineMs;
  const driftMs = t.leaseMs * CLOCK_DRIFT;
  const relations: [holds: boolean, relation: string][] = [
    [t.leaseMs >= 300, `leaseMs (${t.leaseMs}) >= 300`],
    [t.deadlineMs < t.leaseMs, `deadlineMs (${t.deadlineMs}) < leaseMs (${t.leaseMs})`],
    [
      t.renewMs * 1.1 + 2 * t.commandMs < t.deadlineMs,
      `renewMs (${t.renewMs}) + 10 % + 2 x commandMs (${t.commandMs}) < deadlineMs (${t.deadlineMs})`,
    ],
    [
      graceMs >= driftMs + t.stallMs + t.closeMs,
      `leaseMs - deadlineMs (${graceMs}) >= drift (${driftMs}) + stallMs (${t.stallMs}) + closeMs (${t.closeMs})`,
    ],
  ];
  const broken = relations.filter(([holds]) => !holds).map(([, relation]) => relation);
  if (broken.length > 0) throw new AntiphonError("CONFIG_INVALID", `The Lease needs ${broken.join("; ")}.`);
}
