// The channel of the bus on which the Now page lives, and what it keeps.

export const NOW_CHANNEL = "/admin/now";
/** Ten minutes of them. */
export const NOW_KEEPS = { messages: 300, ageMs: 3_600_000 } as const;
export const NOW_EVERY_MS = 2_000;
