import com.amazonaws.services.dynamodbv2.local.server.LocalDynamoDBRequestHandler;
import com.amazonaws.services.dynamodbv2.local.server.LocalDynamoDBServerHandler;
import java.net.InetSocketAddress;
import org.eclipse.jetty.server.Server;

/**
 * DynamoDB Local on loopback. Its own main class listens on all interfaces. There is one database for all regions and
 * credentials, so that every client sees the same tables. Arguments: data folder, port.
 */
public final class DynamoDbServer {
  public static void main(String[] args) throws Exception {
    StopWithParent.watch();
    boolean inMemory = false, oneDatabaseForAll = true, delayTransientStates = false;
    LocalDynamoDBRequestHandler requests =
        new LocalDynamoDBRequestHandler(0, inMemory, args[0], oneDatabaseForAll, delayTransientStates);
    Server server = new Server(new InetSocketAddress("127.0.0.1", Integer.parseInt(args[1])));
    server.setHandler(new LocalDynamoDBServerHandler(requests, null));
    server.start();
    Runtime.getRuntime().addShutdownHook(new Thread(() -> {
      try {
        server.stop();
      } catch (Exception error) {
        error.printStackTrace();
      }
      requests.shutdown();
    }));
    server.join();
  }
}
