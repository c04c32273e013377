import java.io.IOException;

/** Ends this server in order when the process that started it is gone, however that died. */
final class StopWithParent {
  private StopWithParent() {}

  /** Standard input is a pipe that the parent holds open and never writes to: its end is the parent's end. */
  static void watch() {
    Thread watcher = new Thread(() -> {
      try {
        while (System.in.read() >= 0) { }
      } catch (IOException gone) {
        // The same as the end of input.
      }
      System.exit(0);
    }, "stop-with-parent");
    watcher.setDaemon(true);
    watcher.start();
  }
}
