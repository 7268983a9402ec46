// The adapter contract, passed by the IRC adapter on a real inspircd.

import { ircContract } from "../support/irc-contract.ts";
import { withServer } from "../support/redis.ts";

withServer("inspircd", () => ircContract("inspircd"));
