/**
 * The calls of `tfplugin5.Provider` (docs/plugin-protocol/tfplugin5.proto of Terraform, 5.10), each from a message
 * to a message. AWS itself is not imitated: what is applied is remembered, what is read is what was remembered.
 */
import { watch } from "node:fs";
import { dirname } from "node:path";
import { changeEstate, readEstate, stopOf, tellStopped } from "./estate.mjs";
import { dynamicOf, dynamicValue, isUnknown, UNKNOWN } from "./msgpack.mjs";
import { identityMaker, importIdOf, replacedBy } from "./resources.mjs";
import { blocksOf, schemaMessage } from "./schema.mjs";
import { planned, settled, shaped } from "./values.mjs";
import { bytesOf, decodeMessage, encodeMessage, textOf } from "./wire.mjs";

const ERROR = 1;

/**
 * @param {{ schema: any, identities: Record<string, any>, replaces: Record<string, Record<string, string>>, logDays: number[] }} facts
 * @param {string} estateFile
 * @returns {Record<string, (message: import("./wire.mjs").Message) => Buffer | Promise<Buffer>>}
 */
export function makeProvider(facts, estateFile) {
  const resources = blocksOf(facts.schema.resource_schemas);
  const data = blocksOf(facts.schema.data_source_schemas);
  let defaultTags = {};
  const keyOf = (type, state) => `${type}/${importIdOf(facts.identities, type, state)}`;

  return {
    GetSchema: () =>
      encodeMessage([
        [1, schemaMessage(facts.schema.provider.block)],
        ...Object.entries(resources).map(([type, block]) => [2, mapEntry(type, block)]),
        ...Object.entries(data).map(([type, block]) => [3, mapEntry(type, block)]),
      ]),
    PrepareProviderConfig: (message) => encodeMessage([[1, bytesOf(message, 1)]]),
    ValidateResourceTypeConfig: (message) => {
      const type = textOf(message, 1);
      const mistakes = configMistakes(resources[type], type, dynamicOf(message, 2), facts.logDays);
      return encodeMessage(mistakes.map((mistake) => [1, diagnostic(mistake)]));
    },
    ValidateDataSourceConfig: nothing,
    Configure: (message) => {
      defaultTags = dynamicOf(message, 2)?.default_tags?.[0]?.tags ?? {};
      return nothing();
    },
    UpgradeResourceState: (message) => {
      const json = bytesOf(decodeMessage(bytesOf(message, 3) ?? Buffer.alloc(0)), 1);
      const state = shaped(resources[textOf(message, 1)], JSON.parse(json?.toString() ?? "null"));
      return encodeMessage([[1, dynamicValue(state)]]);
    },
    ReadResource: (message) => {
      const type = textOf(message, 1);
      const key = keyOf(type, dynamicOf(message, 2));
      const estate = readEstate(estateFile);
      if (estate.failing.includes(key))
        return encodeMessage([[2, diagnostic({ summary: `reading ${key}: AccessDenied` })]]);
      const found = shaped(resources[type], estate.resources[key] ?? null);
      return encodeMessage([
        [1, dynamicValue(found)],
        [3, bytesOf(message, 3)],
      ]);
    },
    PlanResourceChange: (message) => {
      const type = textOf(message, 1);
      const prior = dynamicOf(message, 2);
      const proposed = dynamicOf(message, 3);
      if (proposed === null)
        return encodeMessage([
          [1, dynamicValue(null)],
          [5, true],
        ]);
      const next = planned(resources[type], withDefaultTags(proposed, defaultTags));
      const replaced = replacedBy(facts.replaces[type] ?? {}, prior, next);
      const paths = replaced.map((name) => [2, [[1, [[1, name]]]]]);
      return encodeMessage([[1, dynamicValue(next)], ...paths, [5, true]]);
    },
    ApplyResourceChange: async (message) => {
      const type = textOf(message, 1);
      const prior = dynamicOf(message, 2);
      const next = dynamicOf(message, 3);
      await standStill(estateFile, type, "before");
      const applied = changeEstate(estateFile, (estate) => {
        if (prior !== null && next === null) delete estate.resources[keyOf(type, prior)];
        if (next === null) return { state: null };
        const state =
          prior === null
            ? created(estate, type, next)
            : settled(resources[type], next, () => undefined);
        const key = keyOf(type, state);
        if (prior === null && key in estate.resources) return { taken: key };
        estate.resources[key] = state;
        return { state };
      });
      if (applied.taken !== undefined)
        return encodeMessage([[3, diagnostic({ summary: `${applied.taken} exists already` })]]);
      await standStill(estateFile, type, "after");
      if (stopOf(estateFile, type) === "lost")
        return encodeMessage([[3, diagnostic({ summary: `making ${type}: connection reset` })]]);
      return encodeMessage([
        [1, dynamicValue(applied.state)],
        [4, true],
      ]);
    },
    ImportResourceState: (message) => {
      const [type, id] = [textOf(message, 1), textOf(message, 2)];
      const found = readEstate(estateFile).resources[`${type}/${id}`];
      if (found === undefined)
        return encodeMessage([[2, diagnostic({ summary: `there is no ${type} called ${id}` })]]);
      const state = dynamicValue(shaped(resources[type], found));
      return encodeMessage([
        [
          1,
          [
            [1, type],
            [2, encodeMessage(state)],
          ],
        ],
      ]);
    },
    ReadDataSource: (message) => {
      const block = data[textOf(message, 1)];
      const asked = planned(block, dynamicOf(message, 2));
      const make = identityMaker({}, textOf(message, 1), asked, () => 1);
      return encodeMessage([[1, dynamicValue(settled(block, asked, make))]]);
    },
    Stop: nothing,
    GetFunctions: nothing,
    GetResourceIdentitySchemas: nothing,
  };

  function created(estate, type, next) {
    const nextNumber = (/** @type {string} */ what) => {
      estate.counters[what] = (estate.counters[what] ?? 0) + 1;
      return estate.counters[what];
    };
    return settled(resources[type], next, identityMaker(facts.identities, type, next, nextNumber));
  }
}

/** As long as a test wants; other calls are answered meanwhile. */
async function standStill(estateFile, type, where) {
  if (stopOf(estateFile, type) !== where) return;
  tellStopped(estateFile, type);
  await new Promise((resolve) => {
    const look = () => {
      if (stopOf(estateFile, type) === where) return;
      watcher.close();
      resolve(undefined);
    };
    // Before the first look, so that no change is missed.
    const watcher = watch(dirname(estateFile), look);
    look();
  });
}

function nothing() {
  return Buffer.alloc(0);
}

/** @param {string} type @param {import("./schema.mjs").Block} block */
function mapEntry(type, block) {
  return [
    [1, type],
    [2, schemaMessage(block)],
  ];
}

/** @param {{ summary: string, attribute?: string }} problem */
function diagnostic({ summary, attribute }) {
  const path = attribute === undefined ? null : [[1, [[1, attribute]]]];
  return [
    [1, ERROR],
    [2, summary],
    [4, path],
  ];
}

/** Two mistakes that the real provider finds in code and Terraform itself does not find. */
function configMistakes(block, type, config, logDays) {
  const readOnly = Object.entries(block.attributes ?? {})
    .filter(([name, { computed, optional, required }]) => {
      return computed && !optional && !required && config[name] !== null;
    })
    .map(([attribute]) => ({ summary: `${attribute} is read-only`, attribute }));
  const days = type === "aws_cloudwatch_log_group" ? config.retention_in_days : null;
  if (typeof days !== "number" || logDays.includes(days)) return readOnly;
  const attribute = "retention_in_days";
  const summary = `expected ${attribute} to be one of ${logDays.join(", ")}, got ${days}`;
  return [...readOnly, { summary, attribute }];
}

/** The tags of the provider's configuration are on every resource that can have tags. */
function withDefaultTags(proposed, defaultTags) {
  if (!("tags_all" in proposed)) return proposed;
  const { tags } = proposed;
  return { ...proposed, tags_all: isUnknown(tags) ? UNKNOWN : { ...defaultTags, ...tags } };
}
