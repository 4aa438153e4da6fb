// The same without the native part, in this process and in those that it starts: plain Node is enough for this protocol.
process.env['IPCM_NO_NATIVE'] = '1';
await import('./connection-unix.test.ts');
