// Who may read the board, and from where: everybody, but nothing else; from pages of the little server beside it.

import { defineBus } from "antiphon";

export default defineBus({
  authorize: { "/deploys": true },
  cors: { origins: (origin) => /^http:\/\/(localhost|127\.0\.0\.1):\d+$/.test(origin) },
});
