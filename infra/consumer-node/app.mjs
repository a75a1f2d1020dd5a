// Returns the number of tasks in Talend Management Console.
import { talendFetch } from "./talend.mjs";

export async function handler() {
  const answer = await talendFetch("/orchestration/executables/tasks", { signal: AbortSignal.timeout(80_000) });
  if (!answer.ok) return { status: answer.status };
  return { status: answer.status, tasks: (await answer.json()).total };
}
