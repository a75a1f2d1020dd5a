// Has Node.js find the AWS SDK that comes with Lambda's runtime: here it is in the environment that `make` installs.
import { registerHooks } from "node:module";

const parentURL = new URL("../../../../.environments/node/node_modules/none.mjs", import.meta.url).href;

registerHooks({
  resolve(name, context, next) {
    const isOfFunction = name.startsWith("@aws-sdk/") && !context.parentURL.includes("/node_modules/");
    return next(name, isOfFunction ? { ...context, parentURL } : context);
  },
});
