import { certificatesFile } from '../pem-file.ts'
import { group } from '../setting.ts'
import { optional, parsed, readableFile } from '../values.ts'

/** HTTPS for callers. */
export const tls = {
  ...group('Serves HTTPS, and identifies callers by their certificates.', {
    certificate: parsed(
      {
        restart: true,
        description: 'A PEM file with the certificate and its chain.',
        required: true,
        hint: 'the path of the file',
      },
      readableFile,
    ),
    key: parsed(
      {
        restart: true,
        description: 'A PEM file with the private key.',
        required: true,
        hint: 'the path of the file',
      },
      readableFile,
    ),
    clientCa: optional(
      {
        restart: true,
        description: "A PEM file with the authorities that callers' certificates come from.",
        hint: 'the path of the file',
      },
      certificatesFile,
    ),
  }),
  optional: true,
} as const
