import org.apache.activemq.artemis.api.core.QueueConfiguration;
import org.apache.activemq.artemis.core.config.Configuration;
import org.apache.activemq.artemis.core.filter.Filter;
import org.apache.activemq.artemis.core.paging.PagingManager;
import org.apache.activemq.artemis.core.paging.cursor.PageSubscription;
import org.apache.activemq.artemis.core.server.Queue;
import org.apache.activemq.artemis.core.server.impl.ActiveMQServerImpl;
import org.apache.activemq.artemis.core.server.impl.QueueFactoryImpl;
import org.apache.activemq.artemis.core.server.impl.QueueImpl;
import org.apache.activemq.artemis.spi.core.security.ActiveMQSecurityManager;

/**
 * A broker that never deletes the queue of one share group.
 *
 * <p>Artemis 2.42 (and 2.55) deletes it, with the messages that wait for all members of the group, when one member's
 * connection ends while that member subscribes, and when a member's session expires while no member is connected. Until
 * the next subscription, it then acknowledges what devices publish and discards it.
 */
final class GroupKeepingServer extends ActiveMQServerImpl {
  private final String queuePrefix;

  GroupKeepingServer(Configuration configuration, ActiveMQSecurityManager security, String group) {
    super(configuration, security);
    queuePrefix = group + ".";
  }

  /** The server calls this after it has made its queue factory, and before it uses it. */
  @Override
  public PagingManager createPagingManager() throws Exception {
    replaceQueueFactory(new GroupKeepingQueues());
    return super.createPagingManager();
  }

  private final class GroupKeepingQueues extends QueueFactoryImpl {
    GroupKeepingQueues() {
      super(
          GroupKeepingServer.this.getExecutorFactory(),
          GroupKeepingServer.this.getScheduledPool(),
          GroupKeepingServer.this.getAddressSettingsRepository(),
          GroupKeepingServer.this.getStorageManager(),
          GroupKeepingServer.this);
    }

    @Override
    public Queue createQueueWith(QueueConfiguration configuration, PagingManager paging, Filter filter) {
      if (!configuration.getName().toString().startsWith(queuePrefix))
        return super.createQueueWith(configuration, paging, filter);
      PageSubscription pages = getPageSubscription(configuration, paging, filter);
      Queue queue =
          new QueueImpl(
              configuration,
              filter,
              pages == null ? null : pages.getPagingStore(),
              pages,
              scheduledExecutor,
              postOffice,
              storageManager,
              addressSettingsRepository,
              executorFactory.getExecutor(),
              server,
              this) {
            @Override
            public void deleteQueue(boolean removeConsumers) {}
          };
      server.getCriticalAnalyzer().add(queue);
      return queue;
    }
  }
}
