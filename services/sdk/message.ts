// What a person said, who said it and where: readonly data, the same in every process.

/** `<adapter>[/<unit>]:<room>`, e.g. `irc/libera:#ops`, `web:lobby`. */
export type Room = `${string}:${string}`;

export interface Person {
  /** `<adapter>:<the service's own id>`. People are ids; names are for display. */
  readonly id: string;
  readonly name: string;
  /** The person is an admin by configuration (or the guest of `npm start`). */
  readonly admin?: true;
}

export interface Message {
  readonly id: string;
  /** As it was said, with the bot's name if it was addressed by name. */
  readonly text: string;
  readonly room: Room;
  readonly thread?: string;
  readonly user: Person;
  /** The service itself says that the bot is meant: a mention or a private room. */
  readonly addressed?: boolean;
}

export interface RoomParts {
  /** `irc/libera` or `web`: names the Lease and the outbox. */
  readonly unit: string;
  readonly adapter: string;
  /** The service's own id of the room. */
  readonly id: string;
}

/** The parts of a room's name; undefined when the text names no room. */
export function splitRoom(room: string): RoomParts | undefined {
  const colon = room.indexOf(":");
  if (colon < 1 || colon === room.length - 1) return undefined;
  const unit = room.slice(0, colon);
  const [adapter, name, ...rest] = unit.split("/");
  if (adapter === undefined || adapter === "" || name === "" || rest.length > 0) return undefined;
  return { unit, adapter, id: room.slice(colon + 1) };
}
