import java.io.File;
import org.apache.activemq.artemis.core.server.ActiveMQServer;
import org.apache.activemq.artemis.core.server.embedded.EmbeddedActiveMQ;

/** ActiveMQ Artemis as an MQTT 5 broker. Argument: broker.xml. */
public final class ArtemisServer {
  public static void main(String[] args) throws Exception {
    StopWithParent.watch();
    EmbeddedActiveMQ broker = new EmbeddedActiveMQ();
    broker.setConfigResourcePath(new File(args[0]).toURI().toString());
    broker.start();
    ActiveMQServer server = broker.getActiveMQServer();
    boolean listens =
        server.getRemotingService().getAcceptors().values().stream().anyMatch(acceptor -> acceptor.isStarted());
    if (!server.isStarted() || !listens) {
      System.err.println("the MQTT broker did not start: see the messages above");
      System.exit(1);
    }
    Runtime.getRuntime().addShutdownHook(new Thread(() -> {
      try {
        broker.stop();
      } catch (Exception error) {
        error.printStackTrace();
      }
    }));
    Thread.currentThread().join();
  }
}
