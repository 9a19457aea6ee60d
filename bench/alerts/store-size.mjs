// What a sample costs in the database, all in: data, TOAST, indexes, the series themselves, and what folding leaves dead.
//
//   node bench/alerts/store-size.mjs                      500 series, 2 days at 15 s; bar: 4 bytes a sample
//   node bench/alerts/store-size.mjs --days 7 --series 200
//
// Build first: node scripts/build.mjs. Ends with 1 when the bar is not met.
import { parseArgs } from "node:util";
import { encodeChunk } from "../../dist/src/alert/chunk.js";
import { freeReplacedChunks } from "../../dist/src/store/sample-chunks.js";
import { foldBlock } from "../../dist/src/store/sample-rounds.js";
import { insertSamples } from "../../dist/src/store/samples.js";
import { makeSeries } from "./mixture.mjs";
import { withDatabase } from "./server.mjs";

const { values: options } = parseArgs({
  options: { series: { type: "string", default: "500" }, days: { type: "string", default: "2" } },
});
const [SERIES, DAYS] = [Number(options.series), Number(options.days)];
const BAR_BYTES = 4;
const STEP_MS = 15_000;
const DAY_MS = 86_400_000;
const START = Date.UTC(2026, 9, 1);
const ROUNDS_A_STATEMENT = 480;

await withDatabase(async (db) => {
  const series = makeSeries(SERIES);
  await insertByTheDoor(db, series);
  await fill(db, series);
  const started = performance.now();
  let [blocks, samples] = [0, 0];
  for (;;) {
    const folded = await db.transaction((tx) => foldBlock(tx, new Date(START + DAYS * DAY_MS)));
    if (folded === null) break;
    // As the product does it, two hours apart.
    await freeReplacedChunks(db);
    blocks += 1;
    samples += folded.samples;
  }
  console.log(`folded ${blocks} blocks of 2 h in ${seconds(started)} s`);
  report(samples, await sizeOf(db));
  byBehaviour(series);
});

/** One round through the door that collectors use: what it takes, and that the series are made by it. */
async function insertByTheDoor(db, series) {
  const samples = series.map(({ name }, n) => ({
    ...{ metric: name, labels: { n: String(n) }, at: new Date(START - DAY_MS), value: 0 },
  }));
  await insertSamples(db, samples, "leader");
  const started = performance.now();
  for (let n = 1; n <= 20; n++) {
    const at = new Date(START - DAY_MS + n * STEP_MS);
    await insertSamples(
      db,
      samples.map((one) => ({ ...one, at })),
      "leader",
    );
  }
  const ms = (performance.now() - started) / 20;
  console.log(`a round of ${SERIES} samples is written in ${ms.toFixed(1)} ms`);
  await db.query("TRUNCATE control.sample_round");
}

async function fill(db, series) {
  const started = performance.now();
  const { rows } = await db.query("SELECT id FROM control.series ORDER BY (labels ->> 'n')::int");
  const ids = rows.map(({ id }) => id);
  const end = START + DAYS * DAY_MS;
  for (let at = START; at < end; at += ROUNDS_A_STATEMENT * STEP_MS) {
    const texts = [];
    for (let slot = at; slot < Math.min(at + ROUNDS_A_STATEMENT * STEP_MS, end); slot += STEP_MS)
      texts.push(`{${series.map(({ valueAt }) => valueAt(slot)).join()}}`);
    await db.query(
      `INSERT INTO control.sample_round (slot, source, series_ids, values)
       SELECT to_timestamp($1::float8 + (n - 1) * ${STEP_MS / 1_000}), 'leader', $2::int[], texts::float8[]
       FROM unnest($3::text[]) WITH ORDINALITY AS given (texts, n)`,
      [at / 1_000, ids, texts],
    );
  }
  console.log(`${DAYS} days of ${SERIES} series written as rounds in ${seconds(started)} s`);
}

async function sizeOf(db) {
  const { rows } = await db.query(
    `SELECT pg_relation_size('control.sample_chunk') AS heap, pg_indexes_size('control.sample_chunk') AS indexes,
       pg_total_relation_size('control.sample_chunk') - pg_relation_size('control.sample_chunk')
         - pg_indexes_size('control.sample_chunk') AS toast,
       pg_total_relation_size('control.series') AS series,
       (SELECT sum(octet_length(data)) FROM control.sample_chunk) AS data`,
  );
  return rows[0];
}

function report(samples, sizes) {
  const { heap, indexes, toast, series } = sizes;
  const perSample = (bytes) => (bytes / samples).toFixed(3);
  for (const [name, bytes] of Object.entries(sizes))
    console.log(`  ${name}: ${perSample(bytes)} bytes a sample`);
  const all = heap + indexes + toast + series;
  console.log(`all in: ${perSample(all)} bytes a sample of ${samples}; bar ${BAR_BYTES}`);
  if (!(all / samples <= BAR_BYTES)) process.exitCode = 1;
}

/** A day of one series of each kind, by itself. */
function byBehaviour(series) {
  const names = [...new Set(series.map(({ name }) => name))];
  for (const name of names) {
    const { valueAt } = makeSeries(SERIES, 11).find((one) => one.name === name);
    const times = Float64Array.from({ length: DAY_MS / STEP_MS }, (_, n) => START + n * STEP_MS);
    const bytes = encodeChunk(START, { times, values: times.map(valueAt) }).length / times.length;
    console.log(`  ${name}: ${bytes.toFixed(2)} bytes a sample`);
  }
}

function seconds(started) {
  return ((performance.now() - started) / 1_000).toFixed(1);
}
