/** Options that several commands share, and how their values are read. */
import { isIP } from 'node:net';
import { InvalidArgumentError, Option } from 'commander';
import { parseHostPort } from './host-port.ts';
import { parseServicePlace, type ServicePlace } from './service-place.ts';

export function files(): Option {
  return new Option('-f, --file <path...>', 'YAML file, or folder with YAML files; may be repeated');
}

export function logFormat(standard: 'text' | 'json'): Option {
  return new Option('--log-format <format>', 'what the program itself says, on standard error')
    .choices(['text', 'json'])
    .default(standard);
}

export function output(choices: readonly [string, ...string[]]): Option {
  return new Option('-o, --output <format>', 'format of what is printed')
    .choices(choices)
    .default(choices[0]);
}

export function kubeconfigOption(): Option {
  return new Option(
    '--kubeconfig <file>',
    'how to reach the cluster; default: KUBECONFIG, the pod, ~/.kube/config',
  );
}

export function namespaceOption(): Option {
  return new Option('-n, --namespace <name...>', 'only this namespace of the cluster; may be repeated');
}

/** Instead of files. */
export function clusterOption(): Option {
  return new Option('--cluster', 'what is in the cluster, in place of files').conflicts('file');
}

export function contextOption(): Option {
  return new Option('--context <name>', 'context of the kubeconfig');
}

export function collect(value: string, earlier: readonly string[]): string[] {
  return [...earlier, value];
}

export function portNumber(text: string): number {
  const port = Number(text);
  if (!Number.isInteger(port) || port < 0 || port > 65_535)
    throw new InvalidArgumentError('Expected a port between 0 and 65535.');
  return port;
}

export function seconds(text: string): number {
  const value = text === '' ? Number.NaN : Number(text);
  if (!(value >= 0 && value <= 3600)) throw new InvalidArgumentError('Expected seconds between 0 and 3600.');
  return value;
}

/** No host name, and above all no empty text, which would stand for every address. */
export function ipAddress(text: string): string {
  if (isIP(text) === 0) throw new InvalidArgumentError('Expected an IP address such as 127.0.0.1 or ::.');
  return text;
}

export function hostPort(text: string): { host: string; port: number } {
  const parsed = parseHostPort(text);
  if (parsed === null)
    throw new InvalidArgumentError('Expected HOST:PORT such as 127.0.0.1:9901 or [::1]:9901.');
  return parsed;
}

export function servicePlace(text: string, previous: readonly ServicePlace[]): readonly ServicePlace[] {
  const parsed = parseServicePlace(text);
  if (parsed === null)
    throw new InvalidArgumentError(
      'Expected [NAMESPACE/]NAME:PORT=HOST:PORT such as default/chat:80=127.0.0.1:3000.',
    );
  return [...previous, parsed];
}
