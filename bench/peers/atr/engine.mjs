// Agent Threat Rules' engine over a file of events: node engine.mjs PACKAGE EVENTS OUT
//
// Its defaults: all rules it ships, every maturity, nothing remembered between events.
import { createWriteStream, createReadStream } from "node:fs";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";

const [folder, events, out] = process.argv.slice(2);
const { ATREngine } = await import(pathToFileURL(`${folder}/dist/index.js`));

const text = (value) => (typeof value === "string" ? value : JSON.stringify(value));

// As its hook for coding agents hands them over.
const eventOf = {
  user_message: (e) => ({ type: "llm_input", content: e.text }),
  model_output: (e) => ({ type: "llm_output", content: e.text }),
  tool_call: ({ tool }) => {
    const tool_args = text(tool.arguments);
    return { type: "tool_call", content: tool_args, fields: { tool_name: tool.name, tool_args } };
  },
  tool_result: ({ tool }) => ({
    type: "tool_response",
    content: text(tool.result),
    fields: { tool_name: tool.name },
  }),
};

const engine = new ATREngine();
await engine.loadRules();
console.log(`${engine.getRuleCount()} rules`);
const found = createWriteStream(out);
for await (const line of createInterface({ input: createReadStream(events) })) {
  const event = JSON.parse(line);
  const matches = engine.evaluate({
    timestamp: event.time,
    sessionId: event.session_id,
    ...eventOf[event.type](event),
  });
  if (matches.length > 0) {
    const rules = matches.map((match) => match.rule.id);
    found.write(`${JSON.stringify({ event_id: event.event_id, rules })}\n`);
  }
}
found.end();
await once(found, "finish");
