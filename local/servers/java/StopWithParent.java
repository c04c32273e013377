import java.io.IOException;

/** Stops this server in order when the process that started it has ended, however it ended. */
final class StopWithParent {
  private StopWithParent() {}

  /** Standard input is a pipe that the parent keeps open and never writes to. It ends when the parent ends. */
  static void watch() {
    Thread watcher = new Thread(() -> {
      try {
        while (System.in.read() >= 0) { }
      } catch (IOException gone) {
        // Means the same as the end of input.
      }
      System.exit(0);
    }, "stop-with-parent");
    watcher.setDaemon(true);
    watcher.start();
  }
}
