// Ways to step parameters down their gradients: `const opt = optim.adamw(model.parameters(), { lr: 1e-4 })`, then
// `loss.backward(); opt.step(); opt.zeroGrad()`.

import { adafactor } from "./adafactor.ts";
import { adamw, adamw8, lion, sgd } from "./fused.ts";
import { muon } from "./muon.ts";

/**
 * Ways to step parameters down their gradients: `const opt = optim.adamw(model.parameters(), { lr: 1e-4 })`, then
 * `loss.backward(); opt.step(); opt.zeroGrad()`.
 */
export const optim = { sgd, adamw, adamw8, adafactor, lion, muon };

export type { AdafactorOptions } from "./adafactor.ts";
export type { AdamOptions, LionOptions, SgdOptions } from "./fused.ts";
export type { MuonOptions } from "./muon.ts";
export type { Optimizer } from "./optimizer.ts";
