// Magics and shell commands in a real session: what they show, what they change, and what they never do.
// biome-ignore-all lint/suspicious/noTemplateCurlyInString: cells hold templates of their own

import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { scriptOf } from "../../../kernel/session/shell.ts";
import { Harness, until } from "./harness.ts";

let session: Harness;
beforeAll(() => {
  session = new Harness({ env: { ...process.env, MY_TOKEN: "hush", MY_NAME: "kit" } });
});
afterAll(() => session.close());

describe("magics", () => {
  test("%who lists names with type and value", async () => {
    await session.run("const zebra = new Float64Array(4), yak = 'y'");
    const { stdout } = await session.run("%who");
    expect(stdout).toMatch(/^name +type +memory +value\n/);
    expect(stdout).toMatch(/^zebra +Float64Array\(4\) +32 bytes /m);
    expect(stdout).toMatch(/^yak +string +'y'$/m);
  });

  test("%%time says how long a cell took, also one that fails, and shows its value all the same", async () => {
    const ran = await session.run("%%time\nawait new Promise((r) => setTimeout(r, 120)); 5");
    expect(ran.text).toBe("5");
    expect(Number(/^Wall time: (\d+) ms, CPU time: [\d.]+ m?s\n$/.exec(ran.stdout)?.[1])).toBeGreaterThan(
      100,
    );
    const failed = await session.run("%%time\nthrow new Error('x')");
    expect(failed.failure?.evalue).toBe("x");
    expect(failed.failure?.traceback.join("")).toMatch(/line 2|:2/);
    expect(failed.stdout).toMatch(/^Wall time/);
  });

  test.each([
    ["%%html\n<b>1</b>", { "text/html": "<b>1</b>" }],
    ["%%markdown\n# a\n`${b}`", { "text/markdown": "# a\n`${b}`" }],
    ["%%javascript\nalert(1)", { "application/javascript": "alert(1)" }],
  ])("%j", async (code, data) => {
    const { outputs } = await session.run(code);
    expect(outputs).toMatchObject([{ type: "display_data", data }]);
  });

  test("%env lists, tells and sets, and hides what looks secret", async () => {
    const all = (await session.run("%env")).stdout;
    expect(all).toMatch(/^MY_NAME=kit$/m);
    expect(all).toMatch(/^MY_TOKEN=<hidden>$/m);
    expect((await session.run("%env MY_NAME")).stdout).toBe("kit\n");
    expect((await session.run("%env NOT_THERE")).stdout).toBe("NOT_THERE is not set\n");
    expect((await session.run("%env MY_NAME=two words\nprocess.env.MY_NAME")).text).toBe("'two words'");
  });

  test("?name and name? go to the pager", async () => {
    for (const code of ["?zebra", "zebra?"])
      expect((await session.run(code)).outputs).toEqual([
        { type: "page", data: { "text/plain": expect.stringMatching(/^zebra: Float64Array\(4\)\n/) } },
      ]);
    expect((await session.run("?nowhere")).failure?.evalue).toMatch(/Nothing is known of nowhere/);
  });

  test("%reset drops all names, before the cell's own code runs", async () => {
    await session.run("const kept = 1", { cell: "a" });
    const ran = await session.run("%reset\ntypeof kept + typeof zebra", { cell: "b" });
    expect(ran.text).toBe("'undefinedundefined'");
    expect((await session.run("%who")).stdout).toBe("No cell has defined a name yet.\n");
  });

  test("%npm installs into the notebook's folder, runs no install script, and the package is there at once", async () => {
    const source = join(session.folder, "source/animal");
    mkdirSync(source, { recursive: true });
    const scripts = { install: "node -e \"require('fs').writeFileSync('RAN', '')\"" };
    const manifest = { name: "animal", version: "1.2.3", main: "index.js", scripts };
    writeFileSync(join(source, "package.json"), JSON.stringify(manifest));
    writeFileSync(join(source, "index.js"), "exports.sound = 'moo'");
    const installed = await session.run("%npm install --install-links './source/animal'");
    expect(installed.failure).toBeUndefined();
    expect(installed.stdout).toMatch(/added 1 package/);
    expect(installed.stdout).toMatch(/Not run: the install scripts of animal\. .*%npm rebuild animal/);
    expect(installed.outputs.find((o) => o.type === "display_data")).toMatchObject({
      data: { "text/plain": expect.stringMatching(/^npm install .*animal': [\d.]+ s/) },
    });
    const own = join(session.folder, "node_modules/animal");
    expect(existsSync(join(own, "RAN"))).toBe(false);
    expect(readFileSync(join(session.folder, "package.json"), "utf8")).toContain("animal");
    expect((await session.run("import { sound } from 'animal'; sound")).text).toBe("'moo'");
    await session.run("%npm rebuild animal");
    expect(existsSync(join(own, "RAN"))).toBe(true);
  }, 30_000);

  test.each([
    ["%npm run x", /%npm can install, uninstall, rebuild, ls; this is "run"/],
    ["%npm install -g left-pad", /%npm works in the notebook's folder.*-g would leave it/],
    ["%npm install --prefix=/tmp x", /--prefix=\/tmp would leave it/],
    ["%npm install ./nothing-here", /npm install .\/nothing-here ended with exit code/],
  ])(
    "%s is refused or fails",
    async (code, message) => {
      expect((await session.run(code)).failure?.evalue).toMatch(message);
    },
    20_000,
  );
});

describe("sh`...`", () => {
  test("shows what the command prints while it runs, stderr apart", async () => {
    const running = session.run("await sh`echo one; sleep 1; echo two; echo bad >&2`");
    await until(() => session.printed === "one\n");
    const ran = await running;
    expect(ran.stdout).toBe("one\ntwo\n");
    expect(ran.stderr).toBe("bad\n");
    expect(ran.text).toBeUndefined();
  });

  test("sh.text gives it as a value", async () => {
    expect((await session.run("(await sh.text`printf 'a\\nb\\n'`).split('\\n')")).text).toBe("[ 'a', 'b' ]");
  });

  test("a command that fails is an error that names it", async () => {
    const { failure } = await session.run("await sh`echo x; exit 3`");
    expect(failure?.evalue).toBe("sh: the command ended with exit code 3: echo x; exit 3");
  });

  test("works in the notebook's folder, with pipes, variables and patterns of the shell", async () => {
    writeFileSync(join(session.folder, "b.txt"), "2\n");
    writeFileSync(join(session.folder, "a.txt"), "1\n");
    const { stdout } = await session.run("await sh`n=5; cat *.txt | sort -r; echo $n \\${n}`");
    expect(stdout).toBe("2\n1\n5 5\n");
  });

  const NASTY = [
    "a b",
    "*",
    "$(touch PWNED)",
    "`touch PWNED`",
    "'; touch PWNED; '",
    '"; touch PWNED; "',
    "-n\\",
    "\n",
  ];

  test("values are arguments, whatever is in them and wherever they stand", async () => {
    const places = [
      "printf '<%s>' ${v}",
      "printf '<%s>' \"${v}\"",
      "printf '<%s>' '${v}'",
      "printf '<%s>' \"$(printf '%s.' ${v})\"",
      "printf '<%s>' x${v}y",
      "printf '<%s>' `printf '%s.' ${v}` # it's ${v}",
    ];
    for (const place of places)
      for (const value of NASTY) {
        const inTemplate = place.replaceAll("`", "\\`");
        const { failure } = await session.run(
          `const v = ${JSON.stringify(value)}; await sh.text\`${inTemplate}\``,
        );
        expect(failure).toBeUndefined();
      }
    expect(existsSync(join(session.folder, "PWNED"))).toBe(false);
    for (const value of NASTY) {
      const { text } = await session.run(
        `const v = ${JSON.stringify(value)}; (await sh.text\`printf '<%s>' \${v} "\${v}" 'x\${v}' \${[v, 7]}\`) === ` +
          "`<${v}><${v}><x${v}><${v}><7>`",
      );
      expect(text, JSON.stringify(value)).toBe("true");
    }
  }, 20_000);

  test("what is no text, number or list is refused before anything runs", async () => {
    for (const value of ["undefined", "null", "{}", "() => 1"])
      expect((await session.run(`await sh\`echo \${${value}}\``)).failure?.evalue).toMatch(
        /a value should be a text, a number or a list/,
      );
    expect((await session.run('await sh`echo ${"a\\0b"}`')).failure?.evalue).toMatch(/zero character/);
  });

  test("an interrupt ends it", async () => {
    const { failure, ms } = await session.interrupted("await sh`sleep 30 | cat`", 400);
    expect(failure?.ename).toBe("Interrupt");
    expect(ms).toBeLessThan(1500);
  });

  test("the script holds no value", () => {
    const of = (strings: TemplateStringsArray, ...values: string[]) => scriptOf(strings, values);
    expect(of`a ${"x"} "b ${"y"}" 'c ${"z"}'`).toEqual({
      text: `a "\${1}" "b \${2}" 'c '"\${3}"''`,
      values: ["x", "y", "z"],
    });
  });
});

test("a cell is told when the session ends, and may clean up", async () => {
  const other = new Harness();
  const file = join(other.folder, "../", `${other.folder.split("/").at(-1)}.told`);
  await other.run(
    `void invalidation.then(async () => {
       await new Promise((resolve) => setTimeout(resolve, 100));
       require("fs").writeFileSync(${JSON.stringify(file)}, "told");
     })`,
  );
  await other.close();
  expect(readFileSync(file, "utf8")).toBe("told");
});
