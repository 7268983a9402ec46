// What the doctor's scripts say, as sentences for people: what is wrong, and what a repair makes of it.

interface Sentence {
  /** `{}` is the thing's name. */
  readonly wrong: string;
  readonly mend: string;
  /** Ordinary life leaves it behind and cleans it up in time. */
  readonly harmless?: true;
}

const KEY_TO_RING = "it is put in line";

const SENTENCES = {
  "key-nowhere": { wrong: "key {} has deliveries and is neither in line, claimed nor waiting", mend: KEY_TO_RING },
  "ring-twice": { wrong: "key {} is in line more than once", mend: "it is left there once" },
  "ring-class": { wrong: "key {} is in line in another class than its first delivery", mend: "it changes lines" },
  "ring-none": { wrong: "key {} is in line without a delivery", mend: "it is taken out" },
  "ring-claim": { wrong: "key {} is in line while a worker has it", mend: "it is taken out of the line" },
  "parked-none": { wrong: "key {} waits without a delivery", mend: "it waits no longer" },
  "parked-ring": { wrong: "key {} waits while it is in line", mend: "it waits no longer" },
  "parked-claim": { wrong: "key {} waits while a worker has it", mend: "it waits no longer" },
  "claim-unlisted": {
    wrong: "a worker has deliveries of key {} that its list lacks",
    mend: "they are its first again",
  },
  "claim-no-prefix": {
    wrong: "a worker has claimed of key {} what are not its first deliveries",
    mend: "that claim is taken away, the delivery keeps its place",
  },
  "claim-second": { wrong: "two workers have claimed key {}", mend: "the last who claimed it keeps it" },
  "claims-unregistered": {
    wrong: "worker {} is not registered and has claims",
    mend: "its deliveries go back, uncounted",
  },
  "claim-unreadable": { wrong: "claims of worker {} cannot be read", mend: "they are removed" },
  "info-unregistered": { wrong: "worker {} is described and not registered", mend: "the description is removed" },
  "worker-unnamed": {
    wrong: "worker {} is registered without a description",
    mend: "it has to register again; its deliveries go back, uncounted",
  },
  "worker-immortal": { wrong: "the claims of worker {} never run out", mend: "they run out as any others" },
  twice: { wrong: "delivery {} is in more than one place", mend: "one is left" },
  "too-deep": { wrong: "delivery {} may be in a long line twice", mend: "" },
  "put-by": {
    wrong: "something in line could not be read and was put by: {}",
    mend: "it is forgotten; the delivery that it may have stood for is put in line",
  },
  unreadable: { wrong: "{} cannot be read", mend: "it is removed" },
  stuck: { wrong: "{} has no due time, and nothing holds it back", mend: "it is due now" },
  "body-nowhere": {
    wrong: "delivery {} is stored and in no line",
    mend: "it is put in line, as the last of its key, with no failures counted",
  },
  "body-unknown": { wrong: "delivery {} is in no line, and its envelope cannot be read", mend: "" },
  "body-gone": { wrong: "the body of delivery {} is lost", mend: "the delivery is forgotten, for it cannot run" },
  "body-expires": { wrong: "the body of delivery {} is about to expire", mend: "it stays" },
  "body-of-nothing": { wrong: "body {} belongs to no delivery", mend: "it is removed" },
  "letter-bodiless": { wrong: "dead letter {} has no body", mend: "it is removed" },
  "letter-unlisted": { wrong: "dead letter {} is not in the list of them", mend: "it is listed, as of now" },
  "letter-alive": {
    wrong: "delivery {} is in line and described as a dead letter",
    mend: "the description is removed",
  },
  "letter-unnamed": { wrong: "dead letter {} has no description", mend: "it is made from the envelope" },
  "origin-of-nothing": { wrong: "origin {} goes on as a delivery that is no more", mend: "it has ended" },
  "origin-unlisted": { wrong: "origin {} cannot be found under its present number", mend: "it is found again" },
  "memory-of-nothing": { wrong: "something remembers effects of {}, which is no more", mend: "it is removed" },
  "memory-unlisted": { wrong: "what is remembered of {} would be remembered for ever", mend: "it will be forgotten" },
  "memory-empty": { wrong: "{} is said to remember something and does not", mend: "that is removed" },
  "held-nowhere": { wrong: "delivery {} waits for others and has no place", mend: "it gets its place again" },
  "held-for-ended": { wrong: "delivery {} waits for what has ended", mend: "it waits for it no longer" },
  "held-for-nothing": { wrong: "delivery {} waits for nothing", mend: "it is due now" },
  "held-unlisted": { wrong: "delivery {} would not hear of the end of what it waits for", mend: "it will" },
  "waits-unheld": { wrong: "{} is said to wait for others and does not", mend: "that is removed" },
  "ended-untold": { wrong: "{} has ended, and what waits for it was not told", mend: "it is told" },
  "queue-unknown": { wrong: "queue {} is not in the set of queues", mend: "it is added" },
  "bytes-wrong": { wrong: "the figure of bytes of {} is not the sum of its bodies", mend: "it is corrected" },
  "history-torn": {
    wrong: "the history of {} cannot be read or is counted wrongly",
    mend: "what can be read is kept and counted",
  },
  "grace-for-ever": { wrong: "nobody is reaped in {} for a long time to come", mend: "that ends" },
  "limit-unreadable": { wrong: "limit {} cannot be read, and so stops every queue", mend: "it is removed" },
  "schedule-undefined": { wrong: "schedule {} has a slot and no definition", mend: "it is removed" },
  "never-expires": { wrong: "{} never expires", mend: "it will" },
  "doubt-of-nothing": { wrong: "Action {} is in doubt and is no more", mend: "that is removed" },
  "bell-of-nobody": { wrong: "bell {} is of a worker that is gone", mend: "it is removed", harmless: true },
  "running-unclaimed": { wrong: "{} is counted as running and is not", mend: "it is no more", harmless: true },
} as const satisfies Readonly<Record<string, Sentence>>;

export type Code = keyof typeof SENTENCES;

export function isHarmless(code: Code): boolean {
  return "harmless" in SENTENCES[code];
}

/** Whether a repair does something about it. */
export function isMendable(code: Code): boolean {
  return SENTENCES[code].mend !== "";
}

export function sentenceOf(code: Code, about: string, mended: boolean): string {
  const { wrong, mend } = SENTENCES[code];
  const said = wrong.replace("{}", () => JSON.stringify(about));
  return `${said[0]?.toUpperCase() ?? ""}${said.slice(1)}${mended ? `: ${mend}` : ""}.`;
}
