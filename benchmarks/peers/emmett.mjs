// The same six changes with Emmett: a stream per claim, and an inline projection in SQL.
//
// `node emmett.mjs TASK` prints the seconds that it took, as JSON. TASK is JSON: database_url, steps
// (command and data of each), claims (ids), lanes (claims at once).
import { CommandHandler, inlineProjections } from "@event-driven-io/emmett";
import {
  getPostgreSQLEventStore,
  postgreSQLRawSQLProjection,
} from "@event-driven-io/emmett-postgresql";
import { SQL } from "@event-driven-io/dumbo";

const task = JSON.parse(process.argv[2]);

const STATUS = {
  submit_claim: "submitted",
  start_review: "under_review",
  require_action: "partner_action_required",
  resubmit_claim: "submitted",
};

const board = postgreSQLRawSQLProjection({
  name: "board",
  canHandle: task.steps.map((step) => step.command),
  init: () => SQL`CREATE TABLE IF NOT EXISTS board (
    claim_id text PRIMARY KEY, version bigint NOT NULL, status text NOT NULL, claim jsonb NOT NULL)`,
  evolve: ({ type, data }) => {
    const changed = JSON.stringify(data.change);
    return type === "create_claim"
      ? SQL`INSERT INTO board VALUES (${data.claim_id}, 1, 'editing', ${changed}::jsonb)`
      : SQL`UPDATE board SET version = version + 1, status = ${data.status},
          claim = claim || ${changed}::jsonb WHERE claim_id = ${data.claim_id}`;
  },
});

const store = getPostgreSQLEventStore(task.database_url, {
  projections: inlineProjections([board]),
});

const handle = CommandHandler({
  initialState: () => ({ version: 0, status: "" }),
  evolve: (claim, event) => ({ version: claim.version + 1, status: event.data.status }),
});

async function live(claimId) {
  for (const [number, { command, data }] of task.steps.entries()) {
    await handle(store, claimId, (claim) => {
      if (claim.version !== number) throw new Error(`${command} at version ${claim.version}`);
      const status = STATUS[command] ?? (claim.status || "editing");
      return { type: command, data: { claim_id: claimId, status, change: data } };
    });
  }
}

async function all(ids) {
  const waiting = ids[Symbol.iterator]();
  const lane = async () => {
    for (const claimId of waiting) await live(claimId);
  };
  await Promise.all(Array.from({ length: task.lanes }, lane));
}

await store.schema.migrate();
await all(task.warm_up);
const start = performance.now();
await all(task.claims);
console.log(JSON.stringify((performance.now() - start) / 1000));
await store.close();
