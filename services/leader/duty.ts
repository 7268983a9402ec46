// What is led: the contract between a leader and whoever acts while it leads.

/** Why a tenure ended. `lost`: Redis says that it is over; `silence`: Redis did not say in time that it goes on. */
export type EndReason = "released" | "yielded" | "lost" | "silence" | "unfit";

/** One uninterrupted time as leader of a unit. */
export interface Tenure {
  readonly unit: string;
  readonly epoch: string;
  /** Aborts when the Lease is lost. During a handover it does not: what was begun is finished and stored. */
  readonly signal: AbortSignal;
  /** Asked right before each act, never kept. */
  held(): boolean;
  /**
   * As `held`, and after the connection to Redis was lost only when a renewal has told that the Lease is still ours: another
   * server may answer by now, and another leader act. Asked before words are said. At once when nothing was lost.
   */
  confirmed(): Promise<boolean>;
  /** Throws FENCED once the tenure is over. Goes first in every callback of a connection and before every send. */
  assert(): void;
}

/** What a leader does: `begin`, then `end`, then perhaps `begin` again. `end` may come while `begin` is still under way. */
export interface Duty {
  /** Runs beside the renewals. If it rejects, the Lease is given back for a while. */
  begin(tenure: Tenure): Promise<void>;
  /** handover: finish and store what is under way, the right to write still holds. fenced: drop everything at once. */
  end(how: "handover" | "fenced", deadlineMs: number): Promise<void>;
}

/** What is known of other masters. */
export interface Courtesy {
  /** How long to let better placed masters try first, from when the Lease is free. */
  delayMs(): Promise<number>;
  /** This process leads one unit more, or one less. */
  changed(): void;
}
