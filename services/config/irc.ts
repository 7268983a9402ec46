// The settings of IRC: of one network in variables or in the file, of several in the file.

import { choice, flag, type Kind, named, secretText, text, wholeNumber } from "./kinds.ts";
import { always, type AnyRows, type ConfigFor } from "./row.ts";

const NICK = /^[A-Za-z[\]\\`_^{|}][A-Za-z0-9[\]\\`_^{|}-]{0,29}$/;
const CHANNEL = /^[#&+!][^\s,:]{0,199}( +[^\s,]+)?$/;

/** A list in the file, or a text with commas. */
const channels: Kind<readonly string[]> = {
  says: "a list of channels (separated by commas), each with its key behind it if it has one, e.g. #ops,#secret key",
  secret: true,
  read: (raw) => {
    const entries: unknown[] = typeof raw === "string" ? raw.split(",") : Array.isArray(raw) ? raw : [undefined];
    const texts = entries.map((entry) => (typeof entry === "string" ? entry.trim() : ""));
    return texts.every((entry) => CHANNEL.test(entry)) ? texts : undefined;
  },
};

export const IRC_ROWS = {
  host: { variable: "IRC_HOST", kind: text, preset: always(undefined), sentence: "The server of the network." },
  port: {
    variable: "IRC_PORT",
    kind: wholeNumber({ min: 1, max: 65_535 }),
    preset: always(undefined),
    presetSaid: "`6697`; without TLS `6667`",
    sentence: "Its port.",
  },
  tls: {
    variable: "IRC_TLS",
    kind: flag,
    preset: always(true),
    sentence: "Whether the connection is encrypted and the server's certificate is checked.",
  },
  tlsCa: {
    variable: "IRC_TLS_CA",
    kind: text,
    preset: always(undefined),
    sentence: "A file with the certificate that the server's is signed with, where no public authority did.",
  },
  tlsCert: {
    variable: "IRC_TLS_CERT",
    kind: text,
    preset: always(undefined),
    sentence: "A file with the bot's own certificate, for `IRC_SASL=external`.",
  },
  tlsKey: {
    variable: "IRC_TLS_KEY",
    kind: text,
    preset: always(undefined),
    sentence: "A file with the key of that certificate.",
  },
  nick: {
    variable: "IRC_NICK",
    kind: named("a nick of at most 30 letters, digits and signs that IRC allows", NICK),
    preset: always("antiphon"),
    sentence: "The bot's nick.",
  },
  username: {
    variable: "IRC_USERNAME",
    kind: named("at most 10 letters, digits, - and _", /^[A-Za-z0-9_-]{1,10}$/),
    preset: always(undefined),
    presetSaid: "the nick in small letters",
    sentence: "The name before the @ of the bot's address.",
  },
  realname: {
    variable: "IRC_REALNAME",
    kind: text,
    preset: always("Antiphon"),
    sentence: "What WHOIS says of the bot.",
  },
  channels: {
    variable: "IRC_CHANNELS",
    kind: channels,
    preset: always([]),
    presetSaid: "none",
    sentence: "Where the bot is: `#ops,#secret key`.",
  },
  sasl: {
    variable: "IRC_SASL",
    kind: choice("off", "plain", "external"),
    preset: always("off"),
    sentence: "How the bot proves who it is: by account and password, or by its certificate.",
  },
  account: {
    variable: "IRC_ACCOUNT",
    kind: text,
    preset: always(undefined),
    presetSaid: "the nick",
    sentence: "The account of `IRC_SASL=plain`.",
  },
  password: {
    variable: "IRC_PASSWORD",
    kind: secretText,
    preset: always(undefined),
    sentence: "Of the account with `IRC_SASL=plain`; else the server's, which many networks hand to NickServ.",
  },
  serverPassword: {
    variable: "IRC_SERVER_PASSWORD",
    kind: secretText,
    preset: always(undefined),
    sentence: "Of the server, where it wants one beside the account's.",
  },
  burst: {
    variable: "IRC_BURST",
    kind: wholeNumber({ min: 1, max: 1_000 }),
    preset: always(4),
    sentence: "Lines that the server takes at once.",
  },
  lineMs: {
    variable: "IRC_LINE_MS",
    kind: wholeNumber({ min: 0, max: 10_000 }),
    preset: always(2_000),
    sentence: "Milliseconds for each further line; less only where the server allows the bot more.",
  },
  pingMs: {
    variable: "IRC_PING_MS",
    kind: wholeNumber({ min: 500, max: 600_000 }),
    preset: always(30_000),
    sentence: "Milliseconds of silence after which the server is asked whether it is there.",
  },
  standby: {
    variable: "IRC_STANDBY",
    kind: flag,
    preset: always(true),
    sentence: "Whether masters that wait are connected already, in no channel, under the nick and a `_`.",
  },
  network: {
    variable: "IRC_NETWORK",
    kind: named("a name of letters, digits, - and _", /^[A-Za-z0-9_-]{1,32}$/),
    preset: always(undefined),
    sentence: "A name for the network: rooms are `irc/<name>:#ops` then, without it `irc:#ops`.",
  },
} as const satisfies AnyRows;

export const IRC_NETWORKS = {
  preset: always(undefined),
  sentence: "Several networks by name, each with these settings; what one leaves out is as above.",
};

const NAME = /^[A-Za-z0-9_-]{1,32}$/;

export function networks(rows: AnyRows): Kind<Readonly<Record<string, Readonly<Record<string, unknown>>>>> {
  const readOne = (settings: object): Record<string, unknown> | undefined => {
    const read = Object.entries(settings).map(([key, raw]) => {
      const row = key === "network" || !Object.hasOwn(rows, key) ? undefined : rows[key];
      return [key, row?.kind.read(raw, false)] as const;
    });
    return read.some(([, value]) => value === undefined) ? undefined : Object.fromEntries(read);
  };
  return {
    says: "an object of networks, each with settings of this table, e.g. { libera: { host: irc.libera.chat } }",
    secret: true,
    read: (raw) => {
      if (typeof raw !== "object" || raw === null || Array.isArray(raw)) return undefined;
      const read = Object.entries(raw).map(([name, settings]: [string, unknown]) => {
        const fits = NAME.test(name) && typeof settings === "object" && settings !== null && !Array.isArray(settings);
        return [name, fits ? readOne(settings) : undefined] as const;
      });
      if (read.length === 0 || read.some(([, settings]) => settings === undefined)) return undefined;
      return Object.fromEntries(read) as Record<string, Record<string, unknown>>;
    },
  };
}

type Settings = Readonly<Record<string, unknown>>;

/** What contradicts itself. Only who connects needs to know where: secrets and addresses may be kept from workers. */
export function ircProblems(settings: Settings, purpose: ConfigFor): string[] {
  if (purpose !== "master" && purpose !== "dev") return [];
  const given = settings["networks"] as Readonly<Record<string, Settings>> | undefined;
  const all = given === undefined ? [["", settings] as const] : Object.entries(given);
  return all.flatMap(([name, own]) => problemsOf({ ...settings, ...own }, name === "" ? "" : ` of ${name}`));
}

function problemsOf(settings: Settings, whose: string): string[] {
  const has = (key: string): boolean => settings[key] !== undefined;
  const problems: string[] = [];
  if (!has("host")) problems.push(`IRC_HOST${whose} is missing: the adapter irc needs a server.`);
  if (settings["sasl"] === "plain" && !has("password"))
    problems.push(`IRC_SASL${whose} is plain, but IRC_PASSWORD is missing.`);
  if (settings["sasl"] === "external" && !(has("tlsCert") && has("tlsKey")))
    problems.push(`IRC_SASL${whose} is external, but IRC_TLS_CERT and IRC_TLS_KEY do not name a certificate.`);
  if (settings["sasl"] === "external" && settings["tls"] === false)
    problems.push(`IRC_SASL${whose} is external, which needs IRC_TLS.`);
  if (has("tlsCert") !== has("tlsKey")) problems.push(`IRC_TLS_CERT and IRC_TLS_KEY${whose} belong together.`);
  return problems;
}
