/** The `sluice` command line. Exit codes: 0 done, 1 the configuration or its run failed, 2 wrong usage. */
import { isIP } from 'node:net';
import { Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import packageJson from '../package.json' with { type: 'json' };
import { parseHostPort } from './host-port.ts';
import { parseServicePlace, type ServicePlace } from './service-place.ts';

const DEFAULT_ADMIN = '127.0.0.1:9901';

const program = new Command('sluice')
  .description('A gateway for real-time services, with exact limits on connections per user.')
  .version(packageJson.version)
  .showHelpAfterError('(sluice --help shows the commands, sluice COMMAND --help the options of one)')
  .exitOverride();

const files = (): Option =>
  new Option(
    '-f, --file <path...>',
    'YAML file, or folder with YAML files; may be repeated',
  ).makeOptionMandatory();

program
  .command('run')
  .description('Serve the gateways in the files on this machine, and follow changes of the files.')
  .addOption(files())
  .addOption(
    new Option('--admin <host:port>', 'address of the admin endpoints; port 0 picks one')
      .argParser(hostPort)
      .default(hostPort(DEFAULT_ADMIN), DEFAULT_ADMIN),
  )
  .option(
    '--address <address>',
    'IP address that listeners bind; :: opens them to the network',
    ipAddress,
    '127.0.0.1',
  )
  .addOption(
    new Option(
      '--service <name:port=host:port>',
      'where a Service is on this machine; NAMESPACE/ may stand before its name; may be repeated',
    )
      .argParser(servicePlace)
      .default([], 'none is known'),
  )
  .addOption(
    new Option('--log-format <format>', 'what the program itself says, on standard error')
      .choices(['text', 'json'])
      .default('text'),
  )
  .action(async (options) => {
    const { run } = await import('./run.ts');
    process.exitCode = await run(options);
  });

program
  .command('validate')
  .description('Check the files and say everything that is wrong with them.')
  .addOption(files())
  .addOption(output(['text', 'json']))
  .action(async (options) => {
    const { validate } = await import('./validate.ts');
    process.exitCode = await validate(options);
  });

program
  .command('translate')
  .description('Print the snapshots that the files compile to; private values are hidden.')
  .addOption(files())
  .addOption(output(['yaml', 'json']))
  .action(async (options) => {
    const { translate } = await import('./translate.ts');
    process.exitCode = await translate(options);
  });

try {
  await program.parseAsync();
} catch (error) {
  if (!(error instanceof CommanderError)) throw error;
  process.exitCode = error.exitCode === 0 ? 0 : 2;
}

function output(choices: readonly [string, ...string[]]): Option {
  return new Option('-o, --output <format>', 'format of what is printed')
    .choices(choices)
    .default(choices[0]);
}

/** No host name, and above all no empty text, which would stand for every address. */
function ipAddress(text: string): string {
  if (isIP(text) === 0) throw new InvalidArgumentError('Expected an IP address such as 127.0.0.1 or ::.');
  return text;
}

function hostPort(text: string): { host: string; port: number } {
  const parsed = parseHostPort(text);
  if (parsed === null)
    throw new InvalidArgumentError('Expected HOST:PORT such as 127.0.0.1:9901 or [::1]:9901.');
  return parsed;
}

function servicePlace(text: string, previous: readonly ServicePlace[]): readonly ServicePlace[] {
  const parsed = parseServicePlace(text);
  if (parsed === null)
    throw new InvalidArgumentError(
      'Expected [NAMESPACE/]NAME:PORT=HOST:PORT such as default/chat:80=127.0.0.1:3000.',
    );
  return [...previous, parsed];
}
