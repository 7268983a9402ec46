// Words as people meant them: without colours and bold, and whether the bot was addressed by its nick. Pure.

/** Bold, colours, italics and the like. */
// oxlint-disable-next-line no-control-regex -- these signs are what clients format with
const FORMATTING = /\x03(?:\d{1,2}(?:,\d{1,2})?)?|\x04(?:[0-9a-fA-F]{6})?|[\x02\x0f\x11\x16\x1d\x1e\x1f]/g;

export function plainWords(text: string): string {
  return text.replace(FORMATTING, "");
}

export interface Addressed {
  readonly mentionsBot: boolean;
  /** Without the nick, which the bot's name need not be. */
  readonly text: string;
}

/** `nick: …` and `nick, …`, as clients complete it. */
export function addressedTo(text: string, nicks: readonly string[]): Addressed {
  const lower = text.toLowerCase();
  for (const nick of nicks) {
    const sign = text.charAt(nick.length);
    if (!lower.startsWith(nick.toLowerCase()) || (sign !== ":" && sign !== ",")) continue;
    const rest = text.slice(nick.length + 1).trim();
    if (rest !== "") return { mentionsBot: true, text: rest };
  }
  return { mentionsBot: false, text };
}
