// The two clients that programs in JavaScript use, against an address: node node_clients.mjs URL. Prints JSON.
import OpenAI from "openai";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { generateObject, generateText, jsonSchema, streamText, tool } from "ai";

const url = `${process.argv[2]}/v1`;
const messages = [{ role: "user", content: "What is the capital of Norway?" }];
const parameters = { type: "object", properties: { city: { type: "string" } }, required: ["city"] };
const results = {};

const openai = new OpenAI({ baseURL: url, apiKey: "none", maxRetries: 0 });
const whole = await openai.chat.completions.create({ model: "mux", messages });
results.whole = [whole.choices[0].message.content, whole.slmmux.model];
const stream = await openai.chat.completions.create({ model: "mux", messages, stream: true, stream_options: { include_usage: true } });
let text = "", tokens = 0;
for await (const chunk of stream) {
  text += chunk.choices[0]?.delta.content ?? "";
  tokens = chunk.usage?.total_tokens ?? tokens;
}
results.streamed = [text, tokens > 0];
const tools = [{ type: "function", function: { name: "weather", parameters } }];
const runner = await openai.chat.completions.create({ model: "mux", messages, tools });
results.call = JSON.parse(runner.choices[0].message.tool_calls[0].function.arguments);
const response = await openai.responses.create({ model: "mux", input: "Capital?" });
results.response = response.output_text;
try {
  await openai.chat.completions.create({ model: "mux", messages, logprobs: true });
} catch (error) {
  results.refusal = [error.status, error.param];
}

const model = createOpenAICompatible({ name: "mux", baseURL: url, apiKey: "none", supportsStructuredOutputs: true })("mux");
results.sdk = (await generateText({ model, messages, maxRetries: 0 })).text;
results.sdkStreamed = "";
for await (const part of streamText({ model, messages, maxRetries: 0 }).textStream) results.sdkStreamed += part;
const called = await generateText({ model, messages, maxRetries: 0, tools: { weather: tool({ inputSchema: jsonSchema(parameters) }) } });
results.sdkCall = called.toolCalls[0].input;
results.sdkObject = (await generateObject({ model, messages, maxRetries: 0, schema: jsonSchema(parameters) })).object;
console.log(JSON.stringify(results));
