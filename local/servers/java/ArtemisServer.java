import java.io.File;
import org.apache.activemq.artemis.core.config.FileDeploymentManager;
import org.apache.activemq.artemis.core.config.impl.FileConfiguration;
import org.apache.activemq.artemis.spi.core.security.ActiveMQJAASSecurityManager;

/** ActiveMQ Artemis as an MQTT 5 broker. Arguments: broker.xml, name of the share group whose queue is kept. */
public final class ArtemisServer {
  public static void main(String[] args) throws Exception {
    StopWithParent.watch();
    FileConfiguration configuration = new FileConfiguration();
    FileDeploymentManager files = new FileDeploymentManager(new File(args[0]).toURI().toString());
    files.addDeployable(configuration).readConfiguration();
    GroupKeepingServer server = new GroupKeepingServer(configuration, new ActiveMQJAASSecurityManager(), args[1]);
    server.start();
    boolean listens =
        server.getRemotingService().getAcceptors().values().stream().anyMatch(acceptor -> acceptor.isStarted());
    if (!server.isStarted() || !listens) {
      System.err.println("the MQTT broker did not start: see the messages above");
      System.exit(1);
    }
    Runtime.getRuntime().addShutdownHook(new Thread(() -> {
      try {
        server.stop();
      } catch (Exception error) {
        error.printStackTrace();
      }
    }));
    Thread.currentThread().join();
  }
}
