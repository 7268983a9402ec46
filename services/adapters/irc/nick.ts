// The bot's name: other names while somebody has it, and when to ask for it again. Pure.

/** `antiphon`, `antiphon_`, `antiphon__`, `antiphon3` …: try 0 is the wanted one, cut to what the server allows. */
export function nextNick(wanted: string, tries: number, lengthMax: number): string {
  const tail = tries <= 2 ? "_".repeat(tries) : String(tries);
  return wanted.slice(0, Math.max(1, lengthMax - tail.length)) + tail;
}

/** Whether a nick is one that we may have had: ours, or one of the others. */
export function isVariant(nick: string, wanted: string): boolean {
  if (nick === wanted) return true;
  return Array.from({ length: 20 }, (_, tries) => tries + 1).some((tries) =>
    [9, 30].some((lengthMax) => nextNick(wanted, tries, lengthMax) === nick),
  );
}
