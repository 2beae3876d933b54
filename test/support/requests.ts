import { HeaderList } from '../../proxy/http/codec/headers.ts';
import type { RequestView } from '../../proxy/http/request.ts';

/** A request as routing, filters and authentication see it. @param target path and query */
export function request(
  target = '/',
  changes: Partial<Omit<RequestView, 'headers'>> & { headers?: Record<string, string> } = {},
): RequestView {
  const [path = '', query = ''] = target.split('?', 2);
  return {
    method: 'GET',
    scheme: 'http',
    host: 'example.com',
    path,
    query,
    clientAddress: '192.0.2.1',
    ...changes,
    headers: new HeaderList(Object.entries(changes.headers ?? {})),
  };
}
