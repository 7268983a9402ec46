// What the doctor answers, and who leads: for commands that ask from afar.

import { type Static, Type } from "typebox";

const Count = Type.Integer({ minimum: 0 });
const Id = Type.String({ minLength: 1, maxLength: 256 });

export const DoctorQuery = Type.Object({ queue: Type.Optional(Id) });
export const Examination = Type.Object({
  sound: Type.Boolean(),
  queues: Type.Array(Type.String()),
  deliveries: Count,
  findings: Type.Array(
    Type.Object({
      queue: Type.String(),
      code: Type.String(),
      about: Type.String(),
      sentence: Type.String(),
      harmless: Type.Boolean(),
      mended: Type.Boolean(),
    }),
  ),
  more: Count,
  /** How Redis itself is set up; of a single queue nothing. */
  environment: Type.Array(
    Type.Object({
      name: Type.String(),
      state: Type.String(),
      detail: Type.String(),
      remedy: Type.Optional(Type.String()),
    }),
  ),
});
export type Examination = Static<typeof Examination>;

/** As `antiphon leader` tells it. */
export const Leaders = Type.Object({ units: Type.Array(Type.Unknown()), masters: Type.Array(Type.Unknown()) });
export type Leaders = Static<typeof Leaders>;
