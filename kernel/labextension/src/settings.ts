// The person's settings of the extension, as JupyterLab keeps them (schema/plugin.json says which there are), told to whom they
// are for at once and whenever they change. Relies on JupyterLab's registry; without one there are none.

import type { ISettingRegistry } from "@jupyterlab/settingregistry";
import type { TypesMode } from "./messages.ts";

const TYPES: readonly TypesMode[] = ["show", "block", "off"];

/** The setting `typeErrors`; "default", and whatever else somebody has written there, leaves it to the kernel. */
export function typesOf(value: unknown): TypesMode | undefined {
  return TYPES.find((mode) => mode === value);
}

export async function followSettings(
  registry: ISettingRegistry,
  plugin: string,
  told: { setTypes(types: TypesMode | undefined): void },
): Promise<void> {
  const settings = await registry.load(plugin);
  const apply = () => told.setTypes(typesOf(settings.get("typeErrors").composite));
  settings.changed.connect(apply);
  apply();
}
