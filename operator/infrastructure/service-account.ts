import type { Context } from './context.ts';
import { metadataOf } from './metadata.ts';
import { type DesiredObject, SERVICE_ACCOUNTS } from './types.ts';

/** Who the pods are to the API server. */
export function serviceAccountOf(context: Context): DesiredObject {
  const object = {
    metadata: metadataOf(context),
    // The gateway's pods ask for a token of their own; no other pod gets one by naming the account.
    automountServiceAccountToken: false,
  };
  return { type: SERVICE_ACCOUNTS, object };
}
