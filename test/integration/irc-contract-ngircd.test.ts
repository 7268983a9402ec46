// The adapter contract, passed by the IRC adapter on a real ngircd.

import { ircContract } from "../support/irc-contract.ts";
import { withServer } from "../support/redis.ts";

withServer("ngircd", () => ircContract("ngircd"));
