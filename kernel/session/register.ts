// `node --import lensor/register my-experiment.ts`: the notebook's module loading for plain Node.
// Importing this file is all it does.

import { registerLoader } from "./hooks.ts";

registerLoader({ guarded: false });
