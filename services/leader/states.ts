// What a leader can be, and what may follow what. Pure.
//
//                 ┌──────── held by another ────────┐
//                 ▼                                 │
//             follower ──────── try ─────────▶ candidate ── won ──▶ leader ── lost | stop | yield ──▶ releasing
//                 ▲                                                                                      │
//                 └──────────────────────────────────── released ───────────────────────────────────────┘

export type LeaderState = "follower" | "candidate" | "leader" | "releasing";
export type LeaderEvent = "try" | "held" | "won" | "lost" | "stop" | "yield" | "released";

const TRANSITIONS: Readonly<Record<LeaderState, Partial<Record<LeaderEvent, LeaderState>>>> = {
  follower: { try: "candidate" },
  candidate: { held: "follower", won: "leader" },
  leader: { lost: "releasing", stop: "releasing", yield: "releasing" },
  // Lost while it hands over: it goes on ending, without the right to write.
  releasing: { lost: "releasing", released: "follower" },
};

export function nextState(state: LeaderState, event: LeaderEvent): LeaderState {
  const next = TRANSITIONS[state][event];
  if (next === undefined) throw new Error(`A ${state} cannot do "${event}".`);
  return next;
}
