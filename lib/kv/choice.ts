// A head's plan as native code takes it.

import type { HeadChoice } from "../native.ts";
import type { HeadPlan } from "./method.ts";

export function choiceOf({ keep, bias, keys, values }: HeadPlan): HeadChoice {
  return { keep, bias, keys: keys?.native().buffer, values: values?.native().buffer };
}
