// Lambda's runtime for Node.js in its simplest form: gets invocations from the Runtime API and answers them. The
// argument is the handler, such as `app.handler`.
import "./sdk.mjs";

const api = `http://${process.env.AWS_LAMBDA_RUNTIME_API}/2018-06-01/runtime`;
const [module, name] = process.argv[2].split(".");
const describe = (error) => ({ errorType: error?.name, errorMessage: error?.message, trace: error?.stack?.split("\n") });
const post = (path, value) => fetch(`${api}/${path}`, { method: "POST", body: JSON.stringify(value ?? null) });

const format = process.env.AWS_LAMBDA_LOG_FORMAT;
for (const level of ["debug", "info", "warn", "error", "log"]) {
  const print = console[level];
  const record = (message) => ({ timestamp: new Date().toISOString(), level: level.toUpperCase(), message });
  if (format === "JSON") console[level] = (...values) => print(JSON.stringify(record(values.join(" "))));
}

let handler;
try {
  handler = (await import(`${process.cwd()}/${module}.mjs`))[name];
} catch (error) {
  await post("init/error", describe(error));
  process.exit(1);
}
for (;;) {
  const next = await fetch(`${api}/invocation/next`);
  const id = next.headers.get("lambda-runtime-aws-request-id");
  try {
    await post(`invocation/${id}/response`, await handler(await next.json(), { awsRequestId: id }));
  } catch (error) {
    await post(`invocation/${id}/error`, describe(error));
  }
}
